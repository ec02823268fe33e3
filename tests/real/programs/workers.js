// Worker threads with messages, shared memory and Atomics.
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
if (isMainThread) {
    const shared = new SharedArrayBuffer(64), counters = new Int32Array(shared), results = [];
    let left = 4;
    for (let i = 0; i < 4; i++) {
        const worker = new Worker(__filename, { workerData: { i, shared } });
        worker.on('message', (value) => results.push(value));
        worker.on('exit', () => { if (--left === 0) { console.log(results.sort().join('\n')); console.log(counters[0]); } });
    }
} else {
    const counters = new Int32Array(workerData.shared);
    let sum = 0;
    for (let i = 0; i < 300000; i++) { sum = (sum * 31 + i * (workerData.i + 1)) % 1000003; if (i % 100 === 0) Atomics.add(counters, 0, 1); }
    parentPort.postMessage(`worker ${workerData.i}: ${sum}`);
}
