// Package token owns the wire contract of Dilys' tokens, both ends of it in one
// room: the claims, the [Issuer] that signs them with the keys of a [Ring], the
// [Verifier] that reads them back, the bounded [KeySet] that checks what others
// signed, and the assertions (RFC 7523) with which Dilys names itself elsewhere.
//
// It never fetches, stores, logs or reads a clock: a fetch is given as a func, a
// store as [KeyStore], the time as a func or an argument. It decides nothing about
// sessions or trust; it writes what it is told and believes only what is signed.
// It is the one room that speaks JOSE.
package token
