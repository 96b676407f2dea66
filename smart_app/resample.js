// @ts-check
/**
 * Sound at one rate in, the same sound at another rate out, piece by piece and without drift: the place of each sample
 * is a whole fraction, so that an hour gives exactly an hour's count. It runs on the audio thread and allocates nothing
 * once it is made.
 */

const CROSSINGS = 32; // of the sinc on each side: passes up to 6.8 kHz, and nothing of 8 kHz and above, at 16 kHz
const KAISER_BETA = 8; // aliases stay 80 dB down
const CUTOFF = 0.925; // of half the lower rate
const LONGEST_PUSH = 4096;

export class Resampler {
  #up;
  #down;
  #half;
  /** @type {Float32Array[]} the filter for each place between two samples */
  #filters;
  #held;
  #filled = 0;
  #centre = 0; // where in `held` the next sample out lies, with
  #phase = 0; // so many parts of `up` after it

  /** @param {number} fromRate Hz, whole @param {number} toRate Hz, whole */
  constructor(fromRate, toRate) {
    const shared = findDivisor(fromRate, toRate);
    this.#up = toRate / shared;
    this.#down = fromRate / shared;
    const same = this.#up === this.#down;
    const scale = Math.min(1, toRate / fromRate) * CUTOFF;
    this.#half = same ? 1 : Math.ceil(CROSSINGS / scale);
    this.#filters = same ? [Float32Array.of(1, 0)] : makeFilters(this.#up, this.#half, scale);
    this.#held = new Float32Array(2 * this.#half + LONGEST_PUSH);
    this.reset();
  }

  /** @returns {number} the most that a push of so many samples gives */
  capacity(/** @type {number} */ length) {
    return Math.ceil(((length + 1) * this.#up) / this.#down) + 1;
  }

  /** Begin anew, as if nothing had been heard. */
  reset() {
    this.#filled = this.#half; // of silence
    this.#held.fill(0);
    this.#centre = this.#half;
    this.#phase = 0;
  }

  /**
   * @param {Float32Array | null} input at most 4,096 samples; null is silence
   * @param {number} length of the input
   * @param {Float32Array} output with room for `capacity(length)`
   * @returns {number} samples written to output
   */
  push(input, length, output) {
    if (input === null) this.#held.fill(0, this.#filled, this.#filled + length);
    else this.#held.set(length === input.length ? input : input.subarray(0, length), this.#filled);
    this.#filled += length;
    let count = 0;
    while (this.#centre + this.#half < this.#filled) {
      output[count] = this.#weigh();
      count += 1;
      this.#phase += this.#down;
      const steps = Math.floor(this.#phase / this.#up);
      this.#centre += steps;
      this.#phase -= steps * this.#up;
    }
    this.#letGo();
    return count;
  }

  /**
   * The rest of what was pushed; then begin anew.
   *
   * @param {Float32Array} output with room for `capacity(4096)`
   * @returns {number} samples written to output; with those before, ⌈pushed × to / from⌉ in all
   */
  flush(output) {
    const count = this.push(null, this.#half, output);
    this.reset();
    return count;
  }

  /** @returns {number} */
  #weigh() {
    const filter = /** @type {Float32Array} */ (this.#filters[this.#phase]);
    const first = this.#centre - this.#half + 1;
    let sum = 0;
    for (let index = 0; index < filter.length; index += 1) {
      sum += /** @type {number} */ (filter[index]) * /** @type {number} */ (this.#held[first + index]);
    }
    return sum;
  }

  #letGo() {
    const gone = Math.min(this.#centre - this.#half, this.#filled);
    this.#held.copyWithin(0, gone, this.#filled);
    this.#filled -= gone;
    this.#centre -= gone;
  }
}

/**
 * Windowed sinc, one row for each place between two samples; each sums to 1, so that a steady level stays one.
 *
 * @param {number} places @param {number} half taps on each side @param {number} scale cut-off as a share of half the rate
 * @returns {Float32Array[]}
 */
function makeFilters(places, half, scale) {
  const whole = besselZero(KAISER_BETA);
  return Array.from({ length: places }, (_, place) => {
    const row = Array.from({ length: 2 * half }, (_unused, index) => {
      const time = index - half + 1 - place / places;
      const share = time / half;
      const turn = Math.PI * scale * time;
      const sinc = turn === 0 ? 1 : Math.sin(turn) / turn;
      return sinc * (besselZero(KAISER_BETA * Math.sqrt(Math.max(0, 1 - share * share))) / whole);
    });
    const sum = row.reduce((total, value) => total + value, 0);
    return Float32Array.from(row, (value) => value / sum);
  });
}

/** @param {number} x @returns {number} the modified Bessel function of the first kind, order 0 */
function besselZero(x) {
  let [sum, term] = [1, 1];
  for (let step = 1; term > sum * 1e-12; step += 1) {
    term *= (x / (2 * step)) ** 2;
    sum += term;
  }
  return sum;
}

/** @param {number} one @param {number} other @returns {number} */
function findDivisor(one, other) {
  return other === 0 ? one : findDivisor(other, one % other);
}
