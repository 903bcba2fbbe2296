// Package passkey runs the ceremonies of WebAuthn Level 3: it writes the options that a
// page gives to the browser, and judges what comes back.
//
// It keeps nothing and decides nothing of accounts: challenges and passkeys are package
// factor's, and what a passkey opens is package attempt's.
package passkey
