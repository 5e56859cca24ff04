/** A time of day to the millisecond, with the date if it is not today's; `time` in milliseconds since 1970. */
export function moment(time: number): string {
  const date = new Date(time);
  const clock = `${date.toLocaleTimeString("en-GB")}.${String(date.getMilliseconds()).padStart(3, "0")}`;
  return date.toDateString() === new Date().toDateString() ? clock : `${date.toLocaleDateString("sv")} ${clock}`;
}
