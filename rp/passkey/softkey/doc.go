// Package softkey owns a software authenticator: a device with passkeys, as WebAuthn
// Level 3 describes one, and its browser.
//
// It tells the truth unless a lie changes what it says. It is for tests and benchmarks:
// it verifies no user, and keeps its keys in memory.
package softkey
