// Package guard protects the handlers of a portal written in Go: a request goes on with
// an access token of Dilys that is strong and fresh enough, and is told in the words of
// the standards what is missing otherwise.
//
//	g := guard.New("https://login.example.nhs.uk", "https://api.portal.example.nhs.uk")
//	mux.Handle("/results/", g.Require(guard.Vectors("P9.Cp.Cd", "P9.Cm"), 10*time.Minute, results))
//	patient := guard.From(r.Context()).Subject
//
// A token is verified by itself: Dilys is asked for its keys alone, beside the requests,
// and may be away. So a session that ended is noticed when its token does, after three
// minutes at most. Where that is too long, ask the introspection endpoint.
//
// The package never logs a patient in, keeps no session, and never asks for personal
// details: those come from userinfo.
package guard
