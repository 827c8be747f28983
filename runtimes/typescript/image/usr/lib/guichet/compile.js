// Compiles a submission: OUTPUT, options of tsc, sources, of which the first is the main file. Says what is wrong as gcc
// does, leaves the JavaScript beside its sources and OUTPUT/start.js, which makes node run that of the main file.
//
// Reading TypeScript itself and the types of Node takes two seconds. So the image has a snapshot of a process that has
// read them; V8 takes one only of a like processor, and without it all is read anew.
'use strict';
const fs = require('fs');
const path = require('path');
const v8 = require('v8');
const vm = require('vm');

const SNAPSHOT = '/usr/lib/guichet/compile.snapshot';
const TAG = `${SNAPSHOT}.tag`;
const TYPESCRIPT = '/usr/share/nodejs/typescript/lib/typescript.js';
const OPTIONS = [
    '--target', 'ES2022', '--lib', 'ES2022', '--module', 'CommonJS', '--moduleResolution', 'node', '--esModuleInterop',
    '--resolveJsonModule', '--skipLibCheck', '--sourceMap', '--noEmitOnError', '--typeRoots', '/usr/share/nodejs/@types',
    '--types', 'node',
];

// A snapshot may load nothing by `require` but what is in node.
function load() {
    const text = fs.readFileSync(TYPESCRIPT, 'utf8');
    const run = vm.runInThisContext(`(function (exports, require, module, __filename, __dirname) {${text}\n})`);
    const module = { exports: {} };
    run(module.exports, require, module, TYPESCRIPT, path.dirname(TYPESCRIPT));
    return module.exports;
}

// The compiler, and what it has read of files that are no submission's, by path.
let ts = null;
const read = new Map();

function host(options, real, written) {
    const usual = ts.createCompilerHost(options);
    const readFile = (file) => usual.readFile(real(file));
    const parse = (file, target) => {
        const text = readFile(file);
        return text === undefined ? undefined : ts.createSourceFile(file, text, target);
    };
    const getSourceFile = (file, target) => {
        if (!file.startsWith('/usr/')) return parse(file, target);
        const key = `${target} ${file}`;
        if (!read.has(key)) read.set(key, parse(file, target));
        return read.get(key);
    };
    const getCurrentDirectory = () => process.cwd();
    const fileExists = (file) => usual.fileExists(real(file));
    return { ...usual, getCurrentDirectory, fileExists, readFile, getSourceFile, writeFile: written };
}

function tell({ file, start, code, category, messageText }, real) {
    const severity = { [ts.DiagnosticCategory.Error]: 'error', [ts.DiagnosticCategory.Warning]: 'warning' }[category] ?? 'note';
    const message = ts.flattenDiagnosticMessageText(messageText, ' ').replace(/\s+/g, ' ');
    let place = '';
    if (file) {
        const { line, character } = file.getLineAndCharacterOfPosition(start);
        place = `${path.relative('.', real(file.fileName))}:${line + 1}:${character + 1}: `;
    }
    process.stdout.write(`${place}${severity}: TS${code}: ${message}\n`);
}

function compile([output, ...words]) {
    const { options, fileNames: [entry, ...others], errors: misused } = ts.parseCommandLine([...OPTIONS, ...words]);
    // A main file of another name is read as if .ts stood behind it.
    const source = /(?<!\.d)\.ts$/.test(entry) ? entry : `${entry}.ts`;
    const real = (file) => (path.resolve(file) === path.resolve(source) ? entry : file);
    const script = path.resolve(source.replace(/ts$/, 'js'));
    const written = (file, text) => {
        const isMap = path.resolve(file) === `${script}.map`;
        fs.writeFileSync(file, isMap ? JSON.stringify({ ...JSON.parse(text), sources: [path.basename(entry)] }) : text);
    };
    const program = ts.createProgram([source, ...others], options, host(options, real, written));
    const found = [...misused, ...ts.getPreEmitDiagnostics(program)];
    const { diagnostics, emitSkipped } = found.length === 0 ? program.emit() : { diagnostics: [], emitSkipped: true };
    ts.sortAndDeduplicateDiagnostics([...found, ...diagnostics]).forEach((one) => tell(one, real));
    process.exitCode = emitSkipped ? 1 : 0;
    fs.writeFileSync(path.join(output, 'start.js'), `'use strict';
if (require('worker_threads').isMainThread) {
    process.argv[1] = ${JSON.stringify(script)};
    require('module').runMain = () => require('module')._load(process.argv[1], null, true);
}
`);
}

function isSnapshotFine() {
    return fs.existsSync(TAG) && fs.readFileSync(TAG, 'utf8') === String(v8.cachedDataVersionTag());
}

if (v8.startupSnapshot.isBuildingSnapshot()) {
    ts = load();
    fs.mkdirSync('/tmp/snapshot');
    fs.writeFileSync('/tmp/snapshot/main.ts', 'console.log([1].map((n) => `${n}`));\n');
    compile(['/tmp/snapshot', '--strict', '/tmp/snapshot/main.ts']);
    fs.rmSync('/tmp/snapshot', { recursive: true });
    fs.writeFileSync(TAG, String(v8.cachedDataVersionTag()));
    v8.startupSnapshot.setDeserializeMainFunction(() => {
        // Node remembers the folder of the process that was taken.
        process.chdir('.');
        compile(process.argv.slice(2));
    });
} else if (isSnapshotFine()) {
    const words = ['--snapshot-blob', SNAPSHOT, 'compile', ...process.argv.slice(2)];
    // A snapshot may not hold this module.
    const { spawnSync } = require('child_process');
    process.exitCode = spawnSync(process.execPath, words, { stdio: 'inherit' }).status ?? 1;
} else {
    ts = load();
    compile(process.argv.slice(2));
}
