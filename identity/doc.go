// Package identity owns the words and rules that every other room speaks: who a
// patient is ([Details]), how sure we are ([Trust], [Evidence], [Assess]), and
// what a provider said ([Answer]).
//
// It is the ground floor: standard library only, no context, no I/O, no clock,
// no randomness but [NewToken]. Everything here is a value or a pure function.
package identity
