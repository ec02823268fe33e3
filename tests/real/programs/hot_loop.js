// Hot numeric loops, objects, closures, strings, typed arrays, regular expressions, JSON, exceptions and timers.
'use strict';
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
let hash = 2166136261;
for (let i = 0; i < 3e6; i++) { hash ^= i & 255; hash = Math.imul(hash, 16777619); }
const array = new Float64Array(200000);
for (let i = 0; i < array.length; i++) array[i] = Math.sin(i) * 1000 % 97;
array.sort();
const words = new Map();
for (let i = 0; i < 50000; i++) { const w = 'w' + (i * 7919 % 1013); words.set(w, (words.get(w) || 0) + 1); }
class Shape { area() { return 0; } }
class Square extends Shape { constructor(s) { super(); this.s = s; } area() { return this.s * this.s; } }
class Circle extends Shape { constructor(r) { super(); this.r = r; } area() { return Math.round(3.14 * this.r); } }
let area = 0;
for (let i = 0; i < 200000; i++) area += (i % 3 ? new Square(i % 50) : new Circle(i % 40)).area();
let caught = 0;
for (let i = 0; i < 2000; i++) try { if (i % 2) throw new Error('e' + i); } catch (e) { caught += e.message.length; }
const text = JSON.stringify([...words]).replace(/"w(\d)(\d*)"/g, (m, a, b) => b + a);
console.log(fib(25), hash >>> 0, array[100000].toFixed(6), words.size, area, caught, text.length);
setTimeout(() => console.log('timer'), 5);
Promise.resolve(1).then((x) => console.log('promise', x));
process.on('exit', (code) => console.log('exit', code));
