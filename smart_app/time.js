// @ts-check
/** Dates and lengths as clinicians read them: no month that could be a day. */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]; // as the gateway's

/**
 * @param {string} date FHIR `date`: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`
 * @returns {string} as given where it is no date
 */
export function showDate(date) {
  const match = /^(\d{4})-(\d{2})(?:-(\d{2}))?$/.exec(date);
  const month = MONTHS[Number(match?.[2]) - 1];
  if (match === null || month === undefined || Number.isNaN(Date.parse(date))) return date;
  return match[3] === undefined ? `${month} ${match[1]}` : `${Number(match[3])} ${month} ${match[1]}`;
}

/** @param {string} instant ISO 8601 @returns {string} in the browser's zone; as given where it is no instant */
export function showMoment(instant) {
  const at = new Date(instant);
  if (Number.isNaN(at.getTime())) return instant;
  return `${at.getDate()} ${MONTHS[at.getMonth()]} ${at.getFullYear()}, ${showTime(instant)}`;
}

/** @param {string} instant ISO 8601 @returns {string} hours and minutes in the browser's zone */
export function showTime(instant) {
  const at = new Date(instant);
  if (Number.isNaN(at.getTime())) return instant;
  return [at.getHours(), at.getMinutes()].map((part) => String(part).padStart(2, "0")).join(":");
}

/**
 * @param {string} birthDate `YYYY-MM-DD`
 * @param {Date} today
 * @returns {number | null} whole years; null where the date is not a whole one or lies ahead
 */
export function ageOn(birthDate, today) {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(birthDate);
  if (match === null) return null;
  const [year, month, day] = match.slice(1).map(Number);
  const hadBirthday = today.getMonth() + 1 > month || (today.getMonth() + 1 === month && today.getDate() >= day);
  const years = today.getFullYear() - year - (hadBirthday ? 0 : 1);
  return years >= 0 ? years : null;
}

/** @param {number} seconds @returns {string} `m:ss`, or `h:mm:ss` */
export function showClock(seconds) {
  const whole = Math.floor(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = String(rest).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}
