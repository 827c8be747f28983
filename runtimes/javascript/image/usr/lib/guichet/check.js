// Reads sources without running them, the main file first: exits with 1 if one is not JavaScript, and says where as gcc
// does. Leaves OUTPUT/start.js, which makes node read the main file as what it is.
'use strict';
const { spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const vm = require('vm');

const [output, ...sources] = process.argv.slice(2);
const MODULE_SYNTAX = /import statement outside a module|Unexpected token 'export'|'import\.meta' outside|await is only valid/;
const WRAPPER = ['exports', 'require', 'module', '__filename', '__dirname'];

function mistake(compile) {
    try {
        compile();
        return null;
    } catch (error) {
        return error;
    }
}

function read(file) {
    return fs.readFileSync(file, 'utf8').replace(/^\uFEFF/, '').replace(/^#!.*/, '');
}

// Whether `file` is an ES module, and what is wrong with it.
function look(file) {
    const text = read(file);
    const asModule = () => mistake(() => new vm.SourceTextModule(text, { identifier: file }));
    if (file.endsWith('.mjs')) return { isModule: true, error: asModule() };
    const error = mistake(() => vm.compileFunction(text, WRAPPER, { filename: file }));
    const isModule = !file.endsWith('.cjs') && error !== null && MODULE_SYNTAX.test(error.message);
    return { isModule, error: isModule ? asModule() : error };
}

// What node says of a SyntaxError begins with `file:line`, the line, and a line of carets; of a module it does so only
// when it ends by it.
function tell(file, error, isModule) {
    const again = () => spawnSync(process.execPath, ['--check', '--input-type=module', '-'], { input: read(file) }).stderr;
    const place = /^[^\n]*?:(\d+)\n[^\n]*\n([^\n^]*)\^/.exec(isModule ? again() : error.stack);
    console.log(`${file}${place ? `:${place[1]}:${place[2].length + 1}` : ''}: error: ${error.message}`);
}

function start(entry, isModule) {
    const usual = ['.js', '.mjs', '.cjs', ''].includes(path.extname(entry));
    const suits = isModule ? /\.m?js$/.test(entry) : usual;
    if (isModule && entry.endsWith('.js') && !fs.existsSync('package.json')) {
        fs.writeFileSync('package.json', '{"type": "module"}\n');
    }
    const how = isModule ? 'module' : 'script';
    return suits ? '' : `if (require('worker_threads').isMainThread) require('/usr/lib/guichet/${how}.js');\n`;
}

const found = sources.map((file) => ({ file, ...look(file) }));
for (const { file, error, isModule } of found) {
    if (error) tell(file, error, isModule);
}
process.exitCode = found.some(({ error }) => error) ? 1 : 0;
fs.writeFileSync(path.join(output, 'start.js'), start(sources[0], found[0].isModule));
