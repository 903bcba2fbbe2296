package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// ssoCookie holds a browser's session here. No __Host- prefix: it must work on
// plain http loopback.
const ssoCookie = "sim_sso"

// request is an authorization request that was judged fit to answer at its
// redirect URI.
type request struct {
	client      Client
	redirectURI string
	state       string
	nonce       string
	scope       []string
	vtr         []identity.Trust
	prompt      string
	hint        string // patient key, and after a slash a vector: our own convenience
	asserted    string // asserted_login_identity
	challenge   string // PKCE, S256
}

// refusal is an error of OAuth's set. One without a redirect URI is a page.
type refusal struct{ code, about string }

// Errors of the authorization endpoint (table 5).
var (
	noConsent     = &refusal{"access_denied", "ConsentNotGiven"}
	gaveUp        = &refusal{"access_denied", "User cancelled"}
	loginRequired = &refusal{"login_required", "Login is required"}
	ssoRequired   = &refusal{"sso_login_required", "SSO failed"}
)

func (s *Simulator) authorizeHTTP(w http.ResponseWriter, r *http.Request) {
	form, err := authorizeForm(w, r)
	if err != nil {
		s.record(EndpointAuthorize, "")
		s.pageError(w, "The request could not be read.")
		return
	}
	s.record(EndpointAuthorize, form.Get("client_id"))
	own := s.beginLies()
	f := s.faultsFor(form.Get("client_id"), own)
	if redirected(w, f, EndpointAuthorize) {
		return
	}
	req, bad := s.judge(form)
	switch {
	case bad != nil && req.redirectURI == "":
		s.pageError(w, bad.about)
	case bad != nil:
		s.sendError(w, r, req, bad, f)
	case f.Authz != nil && f.Authz.Error != "":
		s.sendError(w, r, req, &refusal{f.Authz.Error, f.Authz.ErrorDescription}, f)
	default:
		s.begin(w, r, req, own)
	}
}

// authorizeForm reads the parameters: the query of a GET, the body of a POST.
func authorizeForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost {
		return url.ParseQuery(r.URL.RawQuery)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	return r.PostForm, err
}

// judge reads an authorization request as table 1 of the specification says. A
// client or redirect URI that is not registered leaves the redirect URI empty, as
// nobody may be sent there (RFC 6749 §4.1.2.1).
func (s *Simulator) judge(q url.Values) (request, *refusal) {
	client, ok := s.client(q.Get("client_id"))
	if !ok || len(q["client_id"]) > 1 {
		return request{}, &refusal{"", "The client_id is not registered."}
	}
	if !slices.Contains(client.RedirectURIs, q.Get("redirect_uri")) || len(q["redirect_uri"]) > 1 {
		return request{}, &refusal{"", "The redirect_uri is not one that the client registered."}
	}
	req := request{
		client: client, redirectURI: q.Get("redirect_uri"), state: q.Get("state"), nonce: q.Get("nonce"),
		scope: strings.Fields(q.Get("scope")), prompt: q.Get("prompt"), hint: q.Get("login_hint"),
		asserted: q.Get("asserted_login_identity"), challenge: q.Get("code_challenge"),
	}
	for name, values := range q {
		if len(values) > 1 {
			return req, &refusal{"invalid_request", "A parameter came twice"}
		}
		s.remark(client, name, values[0])
	}
	if bad := s.judgeScope(req); bad != nil {
		return req, bad
	}
	vtr, bad := s.judgeVTR(client, q.Get("vtr"))
	req.vtr = vtr
	if bad != nil {
		return req, bad
	}
	return req, s.judgeRest(req, q)
}

// ignored are parameters that NHS login does not support and passes over.
var ignored = []string{
	"max_age", "ui_locales", "id_token_hint", "acr_values", "claims", "request", "request_uri", "fido_auth_response",
}

// remark warns of a parameter that does nothing.
func (s *Simulator) remark(c Client, name, value string) {
	switch {
	case value == "":
	case slices.Contains(ignored, name):
		s.warn(c.ID, "%s is not supported: ignored", name)
	case name == "response_mode" && value != "query":
		s.warn(c.ID, "response_mode other than query is not supported: ignored")
	case name == "display" && value != "page" && value != "touch":
		s.warn(c.ID, "display other than page and touch is not supported: ignored")
	case name == "login_hint":
		s.warn(c.ID, "login_hint chooses a patient here; NHS login ignores it")
	}
}

// judgeScope wants openid and registered scopes. EIS table 1 says that unknown
// scopes are ignored, the mandatory test scenarios that they are an error: the
// stricter is kept, as a client must cope with it.
func (s *Simulator) judgeScope(req request) *refusal {
	if !slices.Contains(req.scope, "openid") {
		return &refusal{"invalid_scope", "openid is required"}
	}
	for _, scope := range req.scope {
		known := slices.Contains(knownScopes(), scope)
		if registered := req.client.Scopes; !known || len(registered) > 0 && !slices.Contains(registered, scope) {
			s.warn(req.client.ID, "asks for the scope %.40q, which it is not registered for", scope)
			return &refusal{"invalid_scope", "A scope is not registered for this client"}
		}
	}
	if slices.Contains(req.scope, "profile") && slices.Contains(req.scope, "basic_demographics") {
		return &refusal{"invalid_scope", "profile and basic_demographics exclude each other"}
	}
	return nil
}

// defaultVTR is what a request without vtr asks for: P9, by every strong way.
var defaultVTR = []string{"P9.Cp.Cd", "P9.Cp.Ck", "P9.Cm"}

// judgeVTR reads vtr: a JSON array of vectors, any of which is enough, all within
// what the client registered.
func (s *Simulator) judgeVTR(c Client, raw string) ([]identity.Trust, *refusal) {
	asked := defaultVTR
	if raw != "" {
		asked = nil
		if json.Unmarshal([]byte(raw), &asked) != nil || len(asked) == 0 {
			return nil, &refusal{"invalid_request", "vtr is not a JSON array of vectors"}
		}
	}
	vtr, err := parseVTR(asked)
	if err != nil {
		return nil, &refusal{"invalid_request", "vtr holds an unknown vector"}
	}
	for _, v := range asked {
		if len(c.VTR) > 0 && !slices.Contains(c.VTR, v) {
			s.warn(c.ID, "asks for the vector %.20q, which it is not registered for", v)
			return nil, &refusal{"invalid_request", "vtr is not what the client registered"}
		}
	}
	return vtr, nil
}

// judgeRest looks at what remains of table 1.
func (s *Simulator) judgeRest(req request, q url.Values) *refusal {
	if q.Get("response_type") != "code" {
		return &refusal{"unsupported_response_type", "Only code is supported"}
	}
	if req.prompt != "" && req.prompt != "none" && req.prompt != "login" {
		return &refusal{"invalid_request", "prompt is none, login or absent"}
	}
	if req.challenge != "" && q.Get("code_challenge_method") != "S256" {
		return &refusal{"invalid_request", "code_challenge_method is S256"}
	}
	if req.challenge == "" && req.client.PKCE {
		return &refusal{"invalid_request", "code_challenge is required"}
	}
	for name, v := range map[string]string{"state": req.state, "nonce": req.nonce} {
		if v != "" {
			continue
		}
		if s.opt.Strict {
			return &refusal{"invalid_request", name + " is required"}
		}
		s.warn(req.client.ID, "sends no %s, which NHS login requires", name)
	}
	return nil
}

// begin finds who is logging in: the asserted identity, the hint, the browser's
// session, or whoever is chosen on the page.
func (s *Simulator) begin(w http.ResponseWriter, r *http.Request, req request, own Faults) {
	now := s.now()
	if req.asserted != "" {
		s.beginAsserted(w, r, req, own, now)
		return
	}
	if req.hint != "" && req.prompt != "none" {
		if c, ok := s.hinted(req); ok {
			s.step(w, r, page{req: req, own: own}, c)
			return
		}
		s.warn(req.client.ID, "login_hint names no patient: ignored")
	}
	have, ok := s.browserSession(r, now)
	if req.prompt != "login" && ok && s.resume(w, r, req, own, have) {
		return
	}
	if req.prompt == "none" {
		s.sendError(w, r, req, loginRequired, s.faultsFor(req.client.ID, own))
		return
	}
	s.showChooser(w, page{req: req, own: own}, choice{})
}

// beginAsserted goes on as the person another client asserts, without a page.
func (s *Simulator) beginAsserted(w http.ResponseWriter, r *http.Request, req request, own Faults, now time.Time) {
	have, from, err := s.assertedIdentity(req.asserted, now)
	if err != nil {
		s.warn(req.client.ID, "asserted_login_identity: %s", err)
	} else {
		if from.ID == AppClientID && req.prompt != "none" {
			s.warn(req.client.ID, "comes by the NHS App without prompt=none")
		}
		if s.resume(w, r, req, own, have) {
			return
		}
	}
	if req.prompt == "none" {
		s.sendError(w, r, req, ssoRequired, s.faultsFor(req.client.ID, own))
		return
	}
	s.showChooser(w, page{req: req, own: own}, choice{Patient: have.patientKey})
}

// resume answers from a session, if that reaches what is asked. A patient who was
// to be asked for consent is not: that needs a page.
func (s *Simulator) resume(w http.ResponseWriter, r *http.Request, req request, own Faults, have session) bool {
	p, ok := s.patient(have.patientKey)
	if !ok || p.RefusesConsent {
		return false
	}
	vot, ok := reached(req.vtr, p.Level, have.used)
	if ok {
		s.finish(w, r, page{req: req, own: own}, p, vot, have)
	}
	return ok
}

// hinted reads login_hint: a patient's key, and after a slash the vector to reach,
// as in mair-prawf/P9.Cm. Nobody is there to ask, so a patient who would be asked
// gives up, or refuses.
func (s *Simulator) hinted(req request) (choice, bool) {
	key, vector, _ := strings.Cut(req.hint, "/")
	_, ok := s.patient(key)
	return choice{Patient: key, Vector: vector, Consent: "refuse", Proof: "give-up"}, ok
}

// reached returns the vector a session reports: of those asked, within the level
// held, with authenticators that were used, the highest.
func reached(asked []identity.Trust, held identity.Proofing, used identity.Credential) (identity.Trust, bool) {
	return highest(asked, func(t identity.Trust) bool { return t.P <= held && covers(used, t.C) }, used)
}

// picked returns the vector of a fresh login by one who can use every
// authenticator and prefers some.
func picked(asked []identity.Trust, held identity.Proofing, prefers identity.Credential) (identity.Trust, bool) {
	if prefers == 0 {
		prefers = identity.Cp | identity.Cd
	}
	return highest(asked, func(t identity.Trust) bool { return t.P <= held }, prefers)
}

// covers reports whether authenticators that were used are those asked, or are
// more of the same. A passkey is not a password and a code: NHS login reports a
// vector that was asked for, and would ask for the password.
func covers(used, asked identity.Credential) bool { return used.Has(asked) }

// highest returns the first of the fitting vectors with the highest P, the
// preferred credential before others.
func highest(asked []identity.Trust, fits func(identity.Trust) bool, prefers identity.Credential) (identity.Trust, bool) {
	var best identity.Trust
	for _, t := range asked {
		better := t.P > best.P || best.C == 0 || t.P == best.P && t.C == prefers && best.C != prefers
		if fits(t) && better {
			best = t
		}
	}
	return best, best.C != 0
}

// grant is what a code or token stands for.
type grant struct {
	login       login
	scope       []string
	redirectURI string
	challenge   string
}

// finish lets the patient in: the browser's session, a code, the way back.
func (s *Simulator) finish(w http.ResponseWriter, r *http.Request, p page, patient Patient, vot identity.Trust, have session) {
	now := s.now()
	f := s.faultsFor(p.req.client.ID, p.own)
	if f.Rotate == RotateAtAuthorize {
		s.rotateForLie()
	}
	s.keepSession(w, r, have, now)
	l := login{
		id: newName(), clientID: p.req.client.ID, patient: s.countLogin(patient), vot: vot,
		authTime: have.authTime, nonce: p.req.nonce, faults: p.own,
	}
	code := newName()
	s.codes.put(code, grant{l, p.req.scope, p.req.redirectURI, p.req.challenge}, now.Add(codeLife), now)
	s.sendBack(w, r, p.req, url.Values{"code": {code}}, f)
}

func (s *Simulator) rotateForLie() {
	if err := s.keys.rotate(); err != nil {
		s.opt.Log.Error("simulator: keys not rotated", "err", err)
	}
}

// sendError answers with an error at the redirect URI.
func (s *Simulator) sendError(w http.ResponseWriter, r *http.Request, req request, bad *refusal, f Faults) {
	answer := url.Values{"error": {bad.code}}
	if bad.about != "" {
		answer.Set("error_description", bad.about)
	}
	s.opt.Log.Info("simulator refusal", "client", fmt.Sprintf("%.60s", req.client.ID), "error", fmt.Sprintf("%.40s", bad.code))
	s.sendBack(w, r, req, answer, f)
}

// sendBack redirects to the client with state, and iss where that is spoken. 303:
// a form posted here is not posted on (RFC 9700 §4.12).
func (s *Simulator) sendBack(w http.ResponseWriter, r *http.Request, req request, q url.Values, f Faults) {
	if req.state != "" {
		q.Set("state", req.state)
	}
	if s.opt.IssParameter {
		q.Set("iss", s.Issuer())
	}
	if f.Authz != nil {
		f.Authz.change(q)
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, req.redirectURI+"?"+q.Encode(), http.StatusSeeOther)
}

// change applies the fault to what the browser brings back.
func (f *AuthzFault) change(q url.Values) {
	for name, v := range map[string]string{"iss": f.SetIss, "state": f.State} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if f.Code != "" && q.Has("code") {
		q.Set("code", f.Code)
	}
	for name, drop := range map[string]bool{"iss": f.DropIss, "state": f.DropState, "code": f.DropCode} {
		if drop {
			q.Del(name)
		}
	}
}

// browserSession returns the session of the browser.
func (s *Simulator) browserSession(r *http.Request, now time.Time) (session, bool) {
	c, err := r.Cookie(ssoCookie)
	if err != nil {
		return session{}, false
	}
	return s.sessions.get(c.Value, now)
}

// keepSession prolongs the browser's session, or gives it a new one under a new id,
// ending the old. The same session keeps its id: two tabs may ask at once.
func (s *Simulator) keepSession(w http.ResponseWriter, r *http.Request, have session, now time.Time) {
	if c, err := r.Cookie(ssoCookie); err == nil {
		if old, ok := s.sessions.get(c.Value, now); ok && old == have {
			s.sessions.put(c.Value, have, now.Add(ssoLife), now)
			return
		}
		s.sessions.drop(c.Value)
	}
	id := newName()
	s.sessions.put(id, have, now.Add(ssoLife), now)
	http.SetCookie(w, s.cookie(id))
}

func (s *Simulator) cookie(value string) *http.Cookie {
	c := &http.Cookie{
		Name: ssoCookie, Value: value, Path: "/", HttpOnly: true,
		Secure: strings.HasPrefix(s.Issuer(), "https:"), SameSite: http.SameSiteLaxMode,
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}
