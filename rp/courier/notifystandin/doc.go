// Package notifystandin plays GOV.UK Notify for development and tests: the part of
// its REST API, version 2, that sends texts and emails, finds them again and tells
// how they went. It checks what Notify checks (the token's signature, issuer and
// time, the template and everything it asks for, the number or address), answers
// with Notify's statuses and error types, and fails on purpose in every way that
// [SetFault] names.
//
// It sends nothing to anybody: what it took is in [StandIn.Messages]. It knows
// nothing of ours but package identity, so that what it believes of Notify is
// written down twice.
package notifystandin
