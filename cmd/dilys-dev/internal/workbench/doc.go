// Package workbench is the page beside Dilys on a developer's machine: where
// everything is, what would have been sent to patients, a clock that can be turned
// forward, and the lies that the simulated provider may be told to tell.
//
// It owns the clock's offset and its own pages. It never touches the database or
// the service's rooms: what it shows is given by its caller, and faults go to the
// simulator by the same HTTP interface that anybody may use. It answers to
// loopback names alone.
package workbench
