// Package pdsstandin owns a made-up Personal Demographics Service: a small honest
// server that keeps the rules of the PDS FHIR API's application-restricted access
// (signed assertions, access tokens, X-Request-ID, searches that find one patient or
// none, five requests a second), so that a client written for the real one works at
// it unchanged, and that can be told to fail in the ways the real one can.
//
// It stands for a foreign party: it knows nothing of the service that asks it and
// imports none of its rooms but the ground floor's words. Its patients are made up.
// It belongs to development and tests, holds everything in memory, and is never
// linked into the service.
package pdsstandin
