// Makes node read the main file as CommonJS though its name is that of data or of a library.
'use strict';
const fs = require('fs');
const Module = require('module');
const path = require('path');

const main = fs.realpathSync(process.argv[1]);
const suffix = path.extname(main);
const usual = Module._extensions[suffix];
Module._extensions[suffix] = (module, file) => {
    if (file === main || !usual) module._compile(fs.readFileSync(file, 'utf8').replace(/^\uFEFF/, ''), file);
    else usual(module, file);
};
