// Package provider owns the conversation with an outside service that proves who
// a patient is: where to send the patient ([Provider.Begin]), what the service's
// answer is worth ([Provider.Finish]), and whether the service can be reached at
// all ([Provider.Health]). It turns what an OpenID provider says into an
// [identity.Answer] and nothing else.
//
// The code flow is the only one. Between Begin and Finish everything is in the
// challenge that the caller keeps sealed, so that any replica can finish what
// another began. The caller spends the attempt before it calls Finish, and has
// checked that the browser is the one that began it.
//
// It never sees an http.ResponseWriter, a cookie, a page or a store; it decides
// nothing about accounts or sessions. Nothing that a provider or a browser sent
// ever stands in a cause or an error text. It is the one room that says oidc and
// oauth2.
package provider
