// Package e2e owns the tests that run the real binaries as a patient, a portal and
// an operator meet them: a browser, a foreign client library, a shell. It knows
// the programs by their public contract alone, and never reaches into a room but
// rp/page, whose sample pages it shows to the browser.
package e2e
