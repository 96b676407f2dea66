// @ts-check
/** Samples in, a WAV file in memory out (RIFF, PCM, 16 bit, one channel). */

const HEADER_BYTES = 44;

/**
 * @param {readonly Int16Array[]} chunks PCM, one channel, in order
 * @param {number} sampleRate Hz
 * @returns {Blob} of type `audio/wav`
 */
export function encodeWav(chunks, sampleRate) {
  const dataBytes = chunks.reduce((sum, chunk) => sum + chunk.length * 2, 0);
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  writeText(header, 0, "RIFF");
  header.setUint32(4, HEADER_BYTES - 8 + dataBytes, true);
  writeText(header, 8, "WAVEfmt ");
  header.setUint32(16, 16, true); // length of the format part
  header.setUint16(20, 1, true); // PCM
  header.setUint16(22, 1, true); // channels
  header.setUint32(24, sampleRate, true);
  header.setUint32(28, sampleRate * 2, true); // bytes a second
  header.setUint16(32, 2, true); // bytes a frame
  header.setUint16(34, 16, true); // bits a sample
  writeText(header, 36, "data");
  header.setUint32(40, dataBytes, true);
  const parts = chunks.map((chunk) => /** @type {BlobPart} */ (/** @type {unknown} */ (chunk)));
  return new Blob([header.buffer, ...parts], { type: "audio/wav" });
}

/** @param {DataView} view @param {number} offset @param {string} text ASCII */
function writeText(view, offset, text) {
  for (let index = 0; index < text.length; index += 1) view.setUint8(offset + index, text.charCodeAt(index));
}

/**
 * What a file is by its first bytes; its name and declared type are not asked.
 *
 * @param {Blob} file
 * @returns {Promise<"audio/wav" | "audio/flac" | null>}
 */
export async function recogniseSound(file) {
  const bytes = new Uint8Array(await file.slice(0, 12).arrayBuffer());
  const text = String.fromCharCode(...bytes);
  if (text.startsWith("fLaC")) return "audio/flac";
  if (text.startsWith("RIFF") && text.slice(8) === "WAVE") return "audio/wav";
  return null;
}
