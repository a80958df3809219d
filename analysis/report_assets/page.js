"use strict";

/** Let the browser save a file that the page holds itself. */
function save(name, address) {
  Object.assign(document.createElement("a"), { download: name, href: address }).click();
}
