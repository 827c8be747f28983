// Makes node read the main file as an ES module though its name does not end with .mjs.
'use strict';
const Module = require('module');
const { pathToFileURL } = require('url');

const main = pathToFileURL(process.argv[1]).href;
const hooks = `export function load(url, context, next) {
    return next(url, url === ${JSON.stringify(main)} ? { ...context, format: 'module' } : context);
}`;
Module.register(`data:text/javascript,${encodeURIComponent(hooks)}`);
Module.runMain = () => void import(main);
