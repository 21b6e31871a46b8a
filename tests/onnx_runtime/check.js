// Runs every NAME.onnx of a folder, as the program `cases` wrote it, in ONNX Runtime, and compares the answers.
//
//   npm install --ignore-scripts onnxruntime-node@1.30.0
//   node check.js DIR
//
// Fails if an answer is off by more than 1e-4 of the largest answer for the same image, or a probability by more than 1e-4.
'use strict';
const fs = require('fs');
const path = require('path');
const {createRequire} = require('module');
const ort = createRequire(path.join(process.cwd(), 'check.js'))('onnxruntime-node');

const TOLERANCE = 1e-4;

function floats(file) {
  const bytes = fs.readFileSync(file);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

async function check(directory, name) {
  const at = (suffix) => path.join(directory, name + suffix);
  const answers = floats(at('.answers'));
  let worst = 0;
  for (const raw of [false, true]) {
    const session = await ort.InferenceSession.create(at(raw ? '.bytes.onnx' : '.onnx'));
    const data = raw ? new Uint8Array(fs.readFileSync(at('.bytes'))) : floats(at('.images'));
    const shape = session.inputMetadata ? session.inputMetadata[0].shape.slice(1) : null;
    const ofOne = shape.reduce((a, b) => a * b, 1), count = data.length / ofOne, classes = answers.length / count;
    for (const batch of [count, 1]) {  // the batch is free
      for (let n = 0; n < count; n += batch) {
        const images = new ort.Tensor(raw ? 'uint8' : 'float32', data.slice(n * ofOne, (n + batch) * ofOne), [batch, ...shape]);
        const result = await session.run({images});
        const values = result[session.outputNames[0]].data;
        for (let i = 0; i < batch; ++i) {
          const expected = answers.subarray((n + i) * classes, (n + i + 1) * classes);
          const largest = Math.max(...expected.map(Math.abs));
          for (let k = 0; k < classes; ++k) {
            const off = Math.abs(values[i * classes + k] - expected[k]) / largest;
            worst = Math.max(worst, Number.isFinite(off) ? off : Infinity);
          }
        }
      }
    }
  }
  return worst;
}

async function main() {
  const directory = process.argv[2];
  const names = fs.readdirSync(directory).filter((file) => file.endsWith('.answers')).map((file) => file.slice(0, -8));
  let failed = 0;
  for (const name of names) {
    let worst;
    try {
      worst = await check(directory, name);
    } catch (error) {
      console.log(`${name}: ${error.message}`);
      worst = Infinity;
    }
    if (!(worst <= TOLERANCE)) ++failed;
    console.log(`${worst <= TOLERANCE ? 'ok  ' : 'FAIL'} ${name}: off by ${worst.toExponential(1)}`);
  }
  console.log(`${names.length - failed} of ${names.length} networks answer alike`);
  process.exit(failed ? 1 : 0);
}

main();
