// Snapshots as they come over the wire: {"dtype","shape","data"} becomes a typed array with a `shape`.

const TYPES = {
  float32: Float32Array,
  float64: Float64Array,
  uint8: Uint8Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
};

/** The same value with every wire array decoded; everything else is kept as it is. */
export function decode(value) {
  if (Array.isArray(value)) return value.map(decode);
  if (value === null || typeof value !== "object") return value;
  if (typeof value.data === "string" && value.dtype in TYPES && Array.isArray(value.shape)) {
    return decodeArray(value);
  }
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, decode(v)]));
}

function decodeArray({ dtype, shape, data }) {
  const text = atob(data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const array = new TYPES[dtype](bytes.buffer); // base64 is little-endian, as is every browser
  array.shape = shape;
  return array;
}
