# Source this where you type commands; every job of the queue sources it too.
export FW_CONFIG_FILE=<directory>/FW_config.yaml
export JOBFLOW_CONFIG_FILE=<directory>/jobflow.yaml
export ATOMATE2_CONFIG_FILE=<directory>/atomate2.yaml
export PATH=<programs>:"$PATH"
export OMP_NUM_THREADS=1
# POTCARs, where `pmg config` does not know them:
# export PMG_VASP_PSP_DIR=/path/of/POTCARs
# Modules:
<modules>
