/** Whom the generator registers: users by number, all with one password. */

/** Of the AORs, and their realm. */
export const DOMAIN = "example.com";
export const PASSWORD = "secret";
/** Digits of a user's number: at most ten million AORs. */
export const USER_DIGITS = 7;
export const MOST_USERS = 10 ** USER_DIGITS;

/** The user part of an AOR as it stands in every header. */
export function userName(user: number): string {
  return `user${String(user).padStart(USER_DIGITS, "0")}`;
}
