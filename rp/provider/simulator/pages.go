package simulator

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
)

//go:embed templates
var templateFiles embed.FS

var templates = template.Must(template.ParseFS(templateFiles, "templates/*.html"))

// page is a login that waits for somebody to choose.
type page struct {
	req request
	own Faults // of this login
}

// choice is what was chosen on the page, or by login_hint.
type choice struct {
	Patient string // key
	Vector  string // one of those asked; empty: the patient's usual way
	Lie     string // a preset's name
	Consent string // "", "agree", "refuse"
	Proof   string // "", "prove", "give-up": what a patient below the asked level does
}

// outcome is what follows a choice: exactly one of a page to show, a refusal, a
// level to raise to, or a vector to let the patient in with.
type outcome struct {
	show   string // template
	fault  string // what to say on the chooser
	refuse *refusal
	letIn  identity.Trust
}

// next decides what follows a choice for a request by a patient.
func next(req request, p Patient, c choice, f Faults) outcome {
	vot, fits, known := chosenVector(req.vtr, p, c.Vector)
	switch {
	case !known:
		return outcome{show: "choose", fault: "The service did not ask for that strength"}
	case !fits && c.Proof == "":
		return outcome{show: "prove"}
	case !fits:
		return outcome{refuse: gaveUp}
	case p.RefusesConsent && c.Consent == "":
		return outcome{show: "consent"}
	case p.RefusesConsent && c.Consent != "agree":
		return outcome{refuse: noConsent}
	case f.Authz != nil && f.Authz.Error != "":
		return outcome{refuse: &refusal{f.Authz.Error, f.Authz.ErrorDescription}}
	}
	return outcome{letIn: vot}
}

// chosenVector returns the vector a login reaches; fits reports whether the
// patient's level allows it, known whether the chosen one was asked for.
func chosenVector(asked []identity.Trust, p Patient, chosen string) (vot identity.Trust, fits, known bool) {
	if chosen == "" {
		vot, fits = picked(asked, p.Level, p.Prefers)
		return vot, fits, true
	}
	i := slices.IndexFunc(asked, func(t identity.Trust) bool { return t.String() == chosen })
	if i < 0 {
		return identity.Trust{}, false, false
	}
	return asked[i], asked[i].P <= p.Level, true
}

// wanted is the level a patient must prove to go on: of the chosen vector, or the
// lowest that was asked.
func wanted(asked []identity.Trust, chosen string) identity.Proofing {
	low := identity.P9
	for _, t := range asked {
		if t.String() == chosen {
			return t.P
		}
		low = min(low, t.P)
	}
	return low
}

// step carries a choice out.
func (s *Simulator) step(w http.ResponseWriter, r *http.Request, p page, c choice) {
	patient, ok := s.patient(c.Patient)
	if !ok {
		s.showChooser(w, p, choice{}, "Choose who is logging in")
		return
	}
	if c.Lie != "" {
		f, ok := s.preset(c.Lie)
		if !ok {
			s.showChooser(w, p, c, "Choose a lie from the list")
			return
		}
		p.own = f
	}
	if c.Proof == "prove" {
		s.raise(c.Patient, wanted(p.req.vtr, c.Vector))
		patient, _ = s.patient(c.Patient)
	}
	f := s.faultsFor(p.req.client.ID, p.own)
	out := next(p.req, patient, c, f)
	if out.show == "" && c.Lie != "" {
		s.chooseLie(p.own)
	}
	switch {
	case out.show == "choose":
		s.showChooser(w, p, c, out.fault)
	case out.show != "":
		s.showStep(w, out.show, p, c, patient)
	case out.refuse != nil:
		s.sendError(w, r, p.req, out.refuse, f)
	default:
		s.finish(w, r, p, patient, out.letIn, session{c.Patient, out.letIn.C, s.now()})
	}
}

// chooseHTTP takes what was chosen on a page. The page stays good for another
// choice, as the back button is there.
func (s *Simulator) chooseHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if r.ParseForm() != nil {
		s.pageError(w, "The form could not be read.")
		return
	}
	p, ok := s.pages.get(r.PostForm.Get("page"), s.now())
	if !ok {
		s.pageError(w, "This page is too old. Start again at the service.")
		return
	}
	c := choice{
		Patient: r.PostForm.Get("patient"), Vector: r.PostForm.Get("vector"), Lie: r.PostForm.Get("lie"),
		Consent: r.PostForm.Get("consent"), Proof: r.PostForm.Get("proof"),
	}
	if r.PostForm.Get("act") == "cancel" {
		s.sendError(w, r, p.req, gaveUp, s.faultsFor(p.req.client.ID, p.own))
		return
	}
	s.step(w, r, p, c)
}

// option is one line of a list to choose from.
type option struct {
	Value, Text, Hint string
	Chosen            bool
}

// view is what every page of the simulator may show.
type view struct {
	Title    string
	Fault    string
	Client   string
	Page     string
	Choice   choice
	Patients []option
	Vectors  []option
	Lies     []option
	Asked    []option // what the service asked for
	Who      string
	Level    string
	Wanted   string
	Target   string
	Targets  []string
	Message  string
}

func (s *Simulator) showChooser(w http.ResponseWriter, p page, c choice, fault ...string) {
	v := view{
		Title: "Who is logging in?", Client: p.req.client.name(), Page: s.keepPage(p), Choice: c,
		Patients: s.patientOptions(c.Patient), Vectors: vectorOptions(p.req.vtr, c.Vector), Lies: s.lieOptions(c.Lie),
		Asked: asked(p.req),
	}
	if len(fault) > 0 {
		v.Fault, v.Title = fault[0], "Error: "+v.Title
	}
	show(w, http.StatusOK, "choose", v)
}

func (s *Simulator) showStep(w http.ResponseWriter, name string, p page, c choice, patient Patient) {
	title := map[string]string{"prove": "Prove who they are?", "consent": "Share details?"}[name]
	show(w, http.StatusOK, name, view{
		Title: title, Client: p.req.client.name(), Page: s.keepPage(p), Choice: c, Who: patient.Name(),
		Level: patient.Level.String(), Wanted: wanted(p.req.vtr, c.Vector).String(), Asked: asked(p.req),
	})
}

func (s *Simulator) keepPage(p page) string {
	now, id := s.now(), newName()
	s.pages.put(id, p, now.Add(pageLife), now)
	return id
}

// patientOptions lists the patients, the first chosen unless another is.
func (s *Simulator) patientOptions(chosen string) []option {
	var out []option
	for i, p := range s.Patients() {
		out = append(out, option{
			Value: p.Key, Text: p.Name(), Hint: p.Level.String() + ": " + p.Special,
			Chosen: p.Key == chosen || chosen == "" && i == 0,
		})
	}
	return out
}

// ways says in words what the vectors say in letters.
var ways = map[identity.Credential]string{
	identity.Cp | identity.Cd: "password, and a code or a remembered browser",
	identity.Cp | identity.Ck: "password and an authenticator app",
	identity.Cm:               "passkey",
	identity.Cp:               "password only",
}

func vectorOptions(vtr []identity.Trust, chosen string) []option {
	out := []option{{Value: "", Text: "As this patient usually does", Chosen: chosen == ""}}
	for _, t := range vtr {
		out = append(out, option{Value: t.String(), Text: t.String() + ": " + ways[t.C], Chosen: chosen == t.String()})
	}
	return out
}

func (s *Simulator) lieOptions(chosen string) []option {
	out := []option{{Value: "", Text: "The truth", Chosen: chosen == ""}}
	for _, p := range s.Presets() {
		out = append(out, option{Value: p.Name, Text: p.Name + ": " + p.About, Chosen: chosen == p.Name})
	}
	return out
}

// asked lists what the service asked for, for people who are building one.
func asked(req request) []option {
	var vectors []string
	for _, t := range req.vtr {
		vectors = append(vectors, t.String())
	}
	return []option{
		{Text: "scope", Value: strings.Join(req.scope, " ")},
		{Text: "vtr", Value: strings.Join(vectors, ", ")},
		{Text: "prompt", Value: orElse(req.prompt, "not sent")},
		{Text: "state", Value: sent(req.state)},
		{Text: "nonce", Value: sent(req.nonce)},
		{Text: "PKCE", Value: sent(req.challenge)},
	}
}

func sent(v string) string {
	if v == "" {
		return "not sent"
	}
	return "sent"
}

// show renders a page to a buffer first: a page that cannot be rendered is not
// shown half.
func show(w http.ResponseWriter, status int, name string, v view) {
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, name+".html", v); err != nil {
		http.Error(w, "page could not be shown", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}

// pageError shows a fault that nobody may be redirected for.
func (s *Simulator) pageError(w http.ResponseWriter, message string) {
	show(w, http.StatusBadRequest, "error", view{Title: "Error: the login cannot go on", Message: message})
}

func styleHTTP(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, templateFiles, "templates/simulator.css")
}

// homeHTTP says what this is and who is logged in here.
func (s *Simulator) homeHTTP(w http.ResponseWriter, r *http.Request) {
	v := view{Title: "NHS login simulator", Message: s.Issuer(), Patients: s.patientOptions("-")}
	if have, ok := s.browserSession(r, s.now()); ok {
		p, _ := s.patient(have.patientKey)
		v.Who = p.Name()
	}
	show(w, http.StatusOK, "home", v)
}

// logOutHTTP ends the browser's session here, which NHS login itself cannot.
func (s *Simulator) logOutHTTP(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(ssoCookie); err == nil {
		s.sessions.drop(c.Value)
	}
	http.SetCookie(w, s.cookie(""))
	http.Redirect(w, r, s.base()+"/", http.StatusSeeOther)
}

// settingsHTTP stands for NHS login's settings host: a client sends a patient
// there with its own assertion.
func (s *Simulator) settingsHTTP(w http.ResponseWriter, r *http.Request) {
	have, from, err := s.assertedIdentity(r.URL.Query().Get("asserted_login_identity"), s.now())
	if err != nil {
		s.warn("settings", "asserted_login_identity: %s", err)
		s.pageError(w, "The settings could not be opened: the asserted login identity is missing, wrong or was used.")
		return
	}
	p, _ := s.patient(have.patientKey)
	show(w, http.StatusOK, "settings", view{
		Title: "NHS login settings", Who: p.Name(), Level: p.Level.String(), Client: from.name(),
	})
}

// appHTTP plays the NHS App: it knows a patient and opens a service for them.
func (s *Simulator) appHTTP(w http.ResponseWriter, r *http.Request) {
	s.showApp(w, orElse(r.URL.Query().Get("patient"), "ffion-ap"), r.URL.Query().Get("target"), "")
}

func (s *Simulator) showApp(w http.ResponseWriter, patient, target, fault string) {
	targets := s.appTargets()
	if target == "" && len(targets) > 0 {
		target = targets[0]
	}
	if _, ok := s.patient(patient); !ok {
		patient = ""
	}
	v := view{
		Title: "The NHS App, played", Fault: fault, Patients: s.patientOptions(patient), Target: target, Targets: targets,
	}
	if fault != "" {
		v.Title = "Error: " + v.Title
	}
	show(w, http.StatusOK, "nhs-app", v)
}

// appTargets are the services the app can open: where each client begins a login.
func (s *Simulator) appTargets() []string {
	var out []string
	if s.opt.AppTarget != "" {
		out = append(out, s.opt.AppTarget)
	}
	for _, c := range s.allClients() {
		for _, raw := range c.RedirectURIs {
			if t := origin(raw) + "/login/nhs-login"; !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	return out
}

// origin is the scheme and host of a URL, or nothing.
func origin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// openFromAppHTTP sends the patient to the service with an assertion of who they
// are, as the last parameter. Only origins of registered clients are opened.
func (s *Simulator) openFromAppHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if r.ParseForm() != nil {
		s.pageError(w, "The form could not be read.")
		return
	}
	patient, target := r.PostForm.Get("patient"), r.PostForm.Get("target")
	known := slices.ContainsFunc(s.appTargets(), func(t string) bool { return origin(t) == origin(target) })
	if origin(target) == "" || !known || strings.Contains(target, "#") {
		s.showApp(w, patient, target, "The address is not one of a registered service")
		return
	}
	assertion, err := s.AssertLogin(patient, r.PostForm.Get("used") == "Cm")
	if err != nil {
		s.showApp(w, patient, target, "Choose who uses the app")
		return
	}
	join := "?"
	if strings.Contains(target, "?") {
		join = "&"
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, target+join+"assertedLoginIdentity="+assertion, http.StatusSeeOther)
}

// AssertLogin returns what the NHS App would send along for a patient who is
// logged in there, by passkey or else by password and code: a JWT that is good
// once, for a minute.
func (s *Simulator) AssertLogin(patientKey string, passkey bool) (string, error) {
	if _, ok := s.patient(patientKey); !ok {
		return "", fmt.Errorf("simulator: patient: wanted a known key, got %.40q", patientKey)
	}
	key, err := s.app()
	if err != nil {
		return "", fmt.Errorf("simulator: app key: %w", err)
	}
	now, jti := s.now(), newName()
	used := identity.Cp | identity.Cd
	if passkey {
		used = identity.Cm
	}
	s.tokens.put(jti, proven{AppClientID, session{patientKey, used, now}}, now.Add(rememberLogin), now)
	claims := map[string]any{
		"iss": AppClientID, "code": jti, "jti": newName(),
		"iat": now.Unix(), "exp": now.Add(identityLife).Truncate(time.Second).Unix(),
	}
	return compact(map[string]any{"alg": "RS512", "typ": "JWT"}, claims, nil, func(in []byte) ([]byte, error) {
		return signature("RS512", key, in)
	})
}
