"""The files of init-cluster open a server: plain, with a user, by a URI, with TLS."""

# ruff: noqa: PLR0917  # fixtures

import shutil
import ssl
import subprocess

import pytest
from pymongo import MongoClient

from vacancy_flows.cluster import connection, walltime
from vacancy_flows.cluster.configuration import address, read_jobstore
from vacancy_flows.cluster.connection import open_cluster
from vacancy_flows.cluster.launchpad import CampaignLaunchPad
from vacancy_flows.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")

VARIABLE = "VACANCY_FLOWS_MONGO_PASSWORD"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(walltime, "_QUEUES", {"SLURM": ("partition", lambda: None)})
    monkeypatch.setattr(connection, "_WAIT_MS", 60_000)


@pytest.fixture
def init(command, tmp_path):
    def run(*words):
        given = ["--scheduler", "slurm", "--partition", "debug", "--walltime", "30:00"]
        answer = command("init-cluster", "-o", tmp_path / "cluster", *given, *words)
        assert answer.status == 0, answer.err
        return tmp_path / "cluster" / "my_launchpad.yaml"

    return run


@pytest.fixture
def database(mongo, request):
    name = f"test_{abs(hash(request.node.name)):x}"
    yield name
    with MongoClient(mongo.host, mongo.port) as client:
        client.drop_database(name)


def check_opens(file):
    """Both take what is written and give it back."""
    cluster = open_cluster(file, prepare=True)
    cluster.store.update({"uuid": "u", "index": 1, "output": {"big": [1]}}, save={"data": "big"})
    assert cluster.store.get_output("u", load=True) == {"big": [1]}
    assert cluster.launchpad.get_new_fw_id() == 1
    return cluster


def test_a_server_by_its_name(init, mongo, database):
    where = ["--mongo-host", mongo.host, "--mongo-port", mongo.port]
    check_opens(init(*where, "--mongo-database", database))


def test_a_server_by_a_uri(init, mongo, database):
    uri = f"mongodb://{mongo.host}:{mongo.port}/?appName=vf"
    check_opens(init("--mongo-host", uri, "--mongo-database", database))


def test_a_user_is_asked_for_the_password_of_the_environment(init, mongo, monkeypatch):
    """The double knows no users and refuses them."""
    monkeypatch.setenv(VARIABLE, "open sesame")
    where = ["--mongo-host", f"mongodb://{mongo.host}:{mongo.port}", "--mongo-user", "ada"]
    file = init(*where, "--mongo-authsource", "admin")
    pad = CampaignLaunchPad.from_file(str(file))
    store = read_jobstore(file.with_name("jobflow.yaml"))
    assert (pad.username, pad.password, pad.authsource) == ("ada", "open sesame", "admin")
    for each in (store.docs_store, store.additional_stores["data"]):
        assert (each.username, each.password, each.auth_source) == ("ada", "open sesame", "admin")
    with pytest.raises(InputError, match="refuses user or password"):
        open_cluster(file)


@pytest.mark.parametrize(
    ("host", "knows"),
    [
        ("mongodb+srv://c0.example.org", "admin"),
        ("mongodb+srv://c0.example.org/?authSource=people", "people"),
        ("mongodb://a,b/?replicaSet=rs&authsource=admin", "admin"),
        ("mongodb://a/admin", "admin"),
        ("mongodb://a/?replicaSet=rs", "vacancy_flows"),
    ],
)
def test_which_database_knows_the_user(init, monkeypatch, host, knows):
    """That of the URI, which pymongo would not look at beside ours."""
    monkeypatch.setenv(VARIABLE, "x")
    file = init("--mongo-host", host, "--mongo-user", "ada")
    assert f'authsource: "{knows}"' in file.read_text()
    jobflow = file.with_name("jobflow.yaml").read_text()
    assert jobflow.count(f'auth_source: "{knows}"') == 2
    assert host in jobflow


@pytest.fixture
def encrypted(tmp_path):
    """A server with a certificate that it signed itself."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    from mongo_double import MongoDouble

    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    words += f" -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout {key}"
    subprocess.run([*words.split(), "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    double = MongoDouble(context=context)
    double.start()
    yield ["--mongo-host", "127.0.0.1", "--mongo-port", double.port], certificate
    double.stop()


def test_tls_with_the_certificate_of_who_signed(init, encrypted):
    where, certificate = encrypted
    check_opens(init(*where, "--mongo-tls-ca-file", certificate))


def test_tls_without_it_is_refused(init, encrypted, monkeypatch):
    monkeypatch.setattr(connection, "_WAIT_MS", 1000)
    where, _ = encrypted
    file = init(*where, "--mongo-tls")
    with pytest.raises(InputError, match=r"LaunchPad does not answer .*certificate"):
        open_cluster(file)


def test_a_certificate_that_is_gone(init, encrypted):
    where, certificate = encrypted
    file = init(*where, "--mongo-tls-ca-file", certificate)
    certificate.unlink()
    with pytest.raises(InputError, match=r"my_launchpad.yaml: is no LaunchPad"):
        open_cluster(file)
    with pytest.raises(InputError, match="is no JobStore that can be connected to"):
        connection.open_jobstore(file.with_name("jobflow.yaml"))


def test_a_uri_of_the_users_own_hand(monkeypatch):
    monkeypatch.setenv("P", "s/e@s:ame")
    assert address("mongodb://ada:$P@h:1/?a=b") == "mongodb://ada:s%2Fe%40s%3Aame@h:1/?a=b"
    assert address("mongodb+srv://ada:${P}@h") == "mongodb+srv://ada:s%2Fe%40s%3Aame@h"
    for plain in ("h", "mongodb://h:1,g:2/", "mongodb://ada@h", None):
        assert address(plain) == plain
    for word in ("sesame", "se@same", "$P/x", ""):
        with pytest.raises(InputError, match=r"^host: holds a password") as caught:
            address(f"mongodb://ada:{word}@h")
        assert "same" not in str(caught.value)


def test_a_uri_with_a_password_opens_and_is_written_back_without(place, mongo, monkeypatch):
    monkeypatch.setenv("P", "sesame")
    uri = f"mongodb://ada:$P@{mongo.host}:{mongo.port}/"
    place.launchpad.write_text(f"host: {uri}\nname: any\nuri_mode: true\n")
    with pytest.raises(InputError, match="refuses user or password"):
        open_cluster(place.launchpad)
    pad = CampaignLaunchPad.from_file(str(place.launchpad))
    assert "sesame" in pad.host
    assert "sesame" not in str(pad.to_dict())
    assert CampaignLaunchPad.from_dict(pad.to_dict()).host == pad.host


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["status"], 2, "no campaign was submitted there"),
        (["retry"], 2, "no campaign was submitted there"),
        (["collect", "-d", "out"], 2, "no campaign was submitted there"),
        (["status", "SPEC"], 2, "campaign 'small' was not submitted"),
        (["collect", "SPEC", "-d", "out"], 2, "no campaign was submitted there"),
        (["submit", "SPEC", "--dry-run"], 0, "would be added"),
    ],
)
def test_what_reads_writes_nothing(place, small, command, words, status, told):
    given = [small() if word == "SPEC" else word for word in words]
    answer = command(*given, "--launchpad", place.launchpad)
    assert answer.status == status, answer.err
    assert told in answer.out + answer.err
    cluster = place.open()
    assert not cluster.launchpad.db.list_collection_names()
    assert not cluster.store.docs_store._collection.database.list_collection_names()
