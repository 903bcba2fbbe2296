// Package rp owns the front door: every route, cookie, header and redirect that a
// patient's browser meets, and the border where an error becomes a status, a page
// and one log line.
//
// It decides nothing about trust (identity), about what comes next in a login
// (identity/attempt) or about portals (rp/portal): it parses, makes one call, and
// shows what came of it.
package rp
