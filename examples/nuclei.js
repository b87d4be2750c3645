// The nuclei of one picture: node examples/nuclei.js SERVER DESCRIPTION PICTURE X Y SIDE MPP PROTOCOL
//
// PROTOCOL is the file of `histoserve describe nuclei --protocol FILE`; the others are as in nuclei.py, and so is what
// it prints. Needs the npm packages @grpc/grpc-js and @grpc/proto-loader.

const fs = require("fs");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [address, description, picture, ...rest] = process.argv.slice(2);
if (rest.length !== 5) throw new Error("usage: node nuclei.js SERVER DESCRIPTION PICTURE X Y SIDE MPP PROTOCOL");
const [x, y, side, mpp] = rest.slice(0, 4).map(Number);
const tiles = JSON.parse(fs.readFileSync(description)).tiles;
const names = tiles.outputs.find((each) => each.name === "TYPE").values;

const protocol = loader.loadFileDescriptorSetFromBuffer(fs.readFileSync(rest[4]), { keepCase: true, longs: Number });
const { GRPCInferenceService } = grpc.loadPackageDefinition(protocol).inference;
const server = new GRPCInferenceService(address, grpc.credentials.createInsecure(), {
  "grpc.max_receive_message_length": -1, // the answer to many windows is larger than the 4 MB allowed otherwise
});

const floats = (...numbers) => Buffer.from(Float32Array.from(numbers).buffer); // little-endian, as on most machines
function bytes(data) {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(data.length); // each element of BYTES stands behind its length
  return Buffer.concat([length, data]);
}

const square = floats(x, y, side, side);
const inputs = [
  { name: "TILE", datatype: "BYTES", shape: [1], raw: bytes(fs.readFileSync(picture)) },
  { name: "REGION", datatype: "FP32", shape: [1, 4], raw: square }, // what the picture shows
  { name: "WINDOW", datatype: "FP32", shape: [1, 4], raw: square }, // what the network looks at: here the same
  { name: "MPP", datatype: "FP32", shape: [1], raw: floats(mpp) },
  { name: "CORE", datatype: "FP32", shape: [1, 4], raw: square }, // the part of the window that it answers for: all
];
const request = {
  model_name: tiles.model,
  inputs: inputs.map(({ raw, ...input }) => input),
  raw_input_contents: inputs.map((input) => input.raw),
};

server.ModelInfer(request, { deadline: Date.now() + 120000 }, (error, answer) => {
  if (error) {
    console.error(`${grpc.status[error.code]}: ${error.details}`);
    process.exit(1);
  }
  const raw = (name) => answer.raw_output_contents[answer.outputs.findIndex((each) => each.name === name)];
  const contour = (i) => `${raw("CONTOUR").readFloatLE(8 * i).toFixed(2)},${raw("CONTOUR").readFloatLE(8 * i + 4).toFixed(2)}`;
  let start = 0;
  raw("TYPE").forEach((type, i) => {
    const end = raw("CONTOUR_END").readInt32LE(4 * i);
    const points = Array.from({ length: end - start }, (_, k) => contour(start + k));
    console.log(`${names[type]} ${(raw("AREA").readFloatLE(4 * i) * mpp ** 2).toFixed(2)} µm² ${points.join(" ")}`);
    start = end;
  });
  console.error(`${raw("TYPE").length} nuclei`);
});
