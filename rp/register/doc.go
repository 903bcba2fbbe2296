// Package register asks who the health service says a patient is, at the Personal
// Demographics Service of England (PDS FHIR API, R4, application-restricted
// access).
//
// It owns the conversation: the signed assertion and the access token, the five
// requests a second, the one retry, the breaker, and the reading of a FHIR Patient
// into an [identity.Entry].
//
// It never decides whether a patient is the one on an entry, keeps no entry, and
// never tells what it asked: PDS has the NHS number in the path of its addresses
// and names in their query, so that no address of PDS may reach an error or a log.
package register
