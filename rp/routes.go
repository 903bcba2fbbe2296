package rp

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/rp/page"
)

// checkRoute is the gateway's door, the one hot path.
const checkRoute = "/check"

// router lays out every route, its methods and its guard on one screen. A route
// that isn't here is 404, a method that isn't here is 405.
func (s *Server) router() http.Handler {
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	get, post := []string{http.MethodGet, http.MethodHead}, []string{http.MethodPost}
	both := append(get, post...)

	// Machines: protocol answers, no cookies but for the check. They stand first, as the
	// router tries one after the other, and machines ask most.
	r.Handle("/.well-known/openid-configuration", s.machine(s.portals.Discovery)).Methods(get...)
	r.Handle("/jwks.json", s.machine(s.portals.JWKS)).Methods(get...)
	r.Handle("/token", s.machine(s.portals.Token)).Methods(post...)
	r.Handle("/introspect", s.machine(s.portals.Introspect)).Methods(post...)
	r.Handle("/revoke", s.machine(s.portals.Revoke)).Methods(post...)
	r.Handle("/par", s.machine(s.portals.Push)).Methods(post...)
	r.Handle("/userinfo", s.machine(s.portals.Userinfo)).Methods(both...)
	r.Handle("/session/active", http.HandlerFunc(s.active)).Methods(post...)
	r.Handle("/login/{provider}/logged-out", s.machine(s.toldOfLogout)).Methods(post...)
	r.Handle("/courier/receipts", s.receipts).Methods(post...)
	r.HandleFunc("/.well-known/security.txt", s.securityText).Methods(get...)
	r.HandleFunc("/.well-known/passkey-endpoints", s.passkeyEndpoints).Methods(get...)
	r.HandleFunc(token.TrustmarkPath, s.trustmark).Methods(get...)
	r.PathPrefix("/assets/").HandlerFunc(s.asset).Methods(get...)

	// Portals, in the browser: their parameters are judged by rp/portal. A POST
	// from another site is answered with a GET of the same parameters.
	r.Handle("/authorize", s.fromPortal(s.authorize)).Methods(both...)
	r.Handle("/end-session", s.fromPortal(s.endSession)).Methods(both...)

	// Other hosts behind the gateway, which passes this prefix on: redirects alone, as
	// pages of ours stand on our own host.
	r.Handle("/.dilys/start", s.machine(s.gateStart)).Methods(get...)
	r.Handle("/.dilys/enter", s.machine(s.gateEnter)).Methods(get...)

	// Patients: pages, guarded by origin, bounds and language; errors become pages.
	for _, p := range []struct {
		path    string
		methods []string
		handler handler
	}{
		{"/", get, s.home},
		{"/login", get, s.chooser},
		{"/login/email", get, s.loginEmail},
		{"/login/email", post, s.logInByEmail},
		{"/login/email/code", get, s.loginCode},
		{"/login/email/code", post, s.giveLoginCode},
		{"/login/email/app", get, s.loginApp},
		{"/login/email/app", post, s.giveLoginApp},
		{"/login/email/card", get, s.loginCard},
		{"/login/email/card", post, s.giveLoginCard},
		{"/login/email/lost-phone", get, s.lostPhone},
		{"/login/email/let-in", get, s.letIn},
		{"/login/email/let-in", post, s.giveLetIn},
		{"/sign-up", get, s.startSignUp},
		{"/sign-up", post, s.beginSignUp},
		{"/sign-up/too-young", both, s.tooYoung},
		{"/sign-up/{page}", get, s.signUpPage},
		{"/sign-up/{page}", post, s.signUpGiven},
		{"/recover", get, s.recoverStart},
		{"/recover", post, s.askReset},
		{"/recover/sent", get, s.recoverSent},
		{"/recover/link", get, s.recoverPage},
		{"/recover/link", post, s.spendLink},
		{"/recover/factor", get, s.recoverPage},
		{"/recover/factor", post, s.giveFactor},
		{"/recover/password", get, s.recoverPage},
		{"/recover/password", post, s.setPassword},
		{"/recover/done", get, s.recoverDone},
		{"/recover/help", get, s.recoverHelp},
		{"/recover/email", both, s.forgottenEmail},
		{"/recover/let-in", get, s.recoverLetIn},
		{"/recover/let-in", post, s.giveRecoverLetIn},
		{"/recover/nhs-login", get, s.nhsLoginHelp},
		{"/recover/{token}", get, s.followLink},
		{"/login/passkey", post, s.logInByPasskey},
		{"/login/{provider}", both, s.toProvider},
		{"/login/{provider}/callback", get, s.callback},
		{"/step-up", get, s.stepUp},
		{"/step-up", post, s.giveStepUp},
		{"/step-up/passkey", post, s.stepUpByPasskey},
		{"/account", get, s.account},
		{"/account/provider-settings", get, s.providerSettings},
		{"/account/providers", get, s.links},
		{"/account/providers/{provider}", post, s.link},
		{"/account/providers/{provider}/remove", get, s.unlink},
		{"/account/providers/{provider}/remove", post, s.giveUnlink},
		{"/account/two-step", get, s.twoStep},
		{"/account/two-step", post, s.chooseWay},
		{"/account/authenticator", get, s.authenticator},
		{"/account/authenticator", post, s.beginApp},
		{"/account/authenticator/code", get, s.appCode},
		{"/account/authenticator/code", post, s.confirmApp},
		{"/account/authenticator/remove", get, s.appRemove},
		{"/account/authenticator/remove", post, s.removeApp},
		{"/account/second-way", get, s.secondWay},
		{"/account/second-way", post, s.makeCard},
		{"/account/second-way/done", post, s.cardDone},
		{"/account/activation", get, s.activation},
		{"/account/activation", post, s.giveActivation},
		{"/account/passkeys", get, s.passkeyList},
		{"/account/passkeys", post, s.addPasskey},
		{"/account/passkeys/offer", get, s.passkeyOffer},
		{"/account/passkeys/offer", post, s.answerOffer},
		{"/account/passkeys/{key}", post, s.renamePasskey},
		{"/account/passkeys/{key}/remove", get, s.passkeyRemove},
		{"/account/passkeys/{key}/remove", post, s.removePasskey},
		{"/account/quiet", get, s.quiet},
		{"/account/quiet", post, s.giveQuiet},
		{"/exit", post, s.exit},
		{"/account/delete", get, s.leave},
		{"/account/delete", post, s.giveLeave},
		{"/account/keep", post, s.keepAccount},
		{"/account/export", get, s.export},
		{"/account/export/file", get, s.exportFile},
		{"/account/regained", get, s.regained},
		{"/account/linkage", get, s.linkage},
		{"/account/linkage", post, s.giveLinkage},
		{"/account/email", get, s.askContact(identity.ByEmail)},
		{"/account/email", post, s.giveContact(identity.ByEmail)},
		{"/account/email-code", get, s.contactCode(identity.ByEmail)},
		{"/account/email-code", post, s.giveContactCode(identity.ByEmail)},
		{"/account/email-held", get, s.contactHeld(identity.ByEmail)},
		{"/account/email-held", post, s.stopContact(identity.ByEmail)},
		{"/account/phone", get, s.askContact(identity.BySMS)},
		{"/account/phone", post, s.giveContact(identity.BySMS)},
		{"/account/phone-code", get, s.contactCode(identity.BySMS)},
		{"/account/phone-code", post, s.giveContactCode(identity.BySMS)},
		{"/account/phone-held", get, s.contactHeld(identity.BySMS)},
		{"/account/phone-held", post, s.stopContact(identity.BySMS)},
		{"/stop-change", get, s.stopChange},
		{"/stop-change", post, s.giveStopChange},
		{"/stop/{token}", get, s.followStop},
		{"/account/browsers", post, s.forgetBrowser},
		{"/account/not-my-number", get, s.notMine},
		{"/account/not-my-number", post, s.giveNotMine},
		{"/account/not-my-record", get, s.notMine},
		{"/account/not-my-record", post, s.giveNotMine},
		{"/account/sessions", post, s.endSessions},
		{"/account/activity", get, s.activity},
		{"/account/activity/not-me", get, s.notMe},
		{"/account/activity/not-me", post, s.giveNotMe},
		{"/logout", get, s.confirmLogout},
		{"/logout", post, s.logout},
		{"/logged-out", get, s.loggedOut},
		{"/help", get, s.about(page.HelpPage{})},
		{"/privacy", get, s.about(page.Privacy{})},
		{"/cookies", get, s.about(s.cookieList())},
		{"/accessibility", get, s.about(page.AccessibilityStatement{})},
		{"/gate", get, s.gate},
		{"/.well-known/change-password", get, s.changePassword},
	} {
		r.Handle(p.path, s.patient(p.handler)).Methods(p.methods...)
	}

	s.allowed = func(q *http.Request) []string { return methodsOf(r, q) }
	r.NotFoundHandler = s.patient(s.notFound)
	r.MethodNotAllowedHandler = s.patient(s.methodNotAllowed)
	r.Use(nameRoute)

	// The gateway's check stands before the router, and answers every method: what
	// a gateway asks about came with any.
	check := s.machine(s.check)
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == checkRoute {
			noteOf(q).route = checkRoute
			check.ServeHTTP(w, q)
			return
		}
		r.ServeHTTP(w, q)
	})
}

// methodsOf returns the methods that the request's path takes.
func methodsOf(r *mux.Router, q *http.Request) []string {
	var taken []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		probe := q.Clone(q.Context())
		probe.Method = method
		var match mux.RouteMatch
		if r.Match(probe, &match) && match.MatchErr == nil {
			taken = append(taken, method)
		}
	}
	return taken
}

// nameRoute tells the log which route it was, by its template.
func nameRoute(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if route := mux.CurrentRoute(r); route != nil {
			noteOf(r).route, _ = route.GetPathTemplate()
		}
		next.ServeHTTP(w, r)
	})
}
