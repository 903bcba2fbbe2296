package simulator

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// tag is an opening tag of a page.
type tag struct {
	name string
	attr map[string]string
}

var (
	tagShape  = regexp.MustCompile(`<([a-z][a-z0-9]*)([^>]*)>`)
	attrShape = regexp.MustCompile(`([a-z-]+)(?:="([^"]*)")?`)
)

// tags reads the opening tags of a page of ours, which quotes every value.
func tags(body string) []tag {
	var out []tag
	for _, m := range tagShape.FindAllStringSubmatch(body, -1) {
		x := tag{m[1], map[string]string{}}
		for _, a := range attrShape.FindAllStringSubmatch(m[2], -1) {
			x.attr[a[1]] = html.UnescapeString(a[2])
		}
		out = append(out, x)
	}
	return out
}

// form reads the fields of a page's form, as a browser without scripts would send
// them with a button.
func (r *rig) form(body, button, value string) url.Values {
	r.Helper()
	out := url.Values{}
	var list string
	for _, x := range tags(body) {
		_, checked := x.attr["checked"]
		_, selected := x.attr["selected"]
		switch {
		case x.name == "input" && (x.attr["type"] != "radio" || checked):
			out.Set(x.attr["name"], x.attr["value"])
		case x.name == "select":
			list = x.attr["name"]
		case x.name == "option" && selected:
			out.Set(list, x.attr["value"])
		case x.name == "button" && x.attr["name"] == button && x.attr["value"] == value && button != "":
			out.Set(button, value)
		}
	}
	if button != "" && !out.Has(button) {
		r.Errorf("page: wanted the button %s=%s", button, value)
	}
	return out
}

// press sends a page's form.
func (r *rig) press(path string, form url.Values) (back url.Values, status int, body string) {
	r.Helper()
	resp, err := r.browser.PostForm(r.url+path, form)
	if err != nil {
		r.Fatal(err)
	}
	return r.read(resp)
}

func TestChooserLogsIn(t *testing.T) {
	r := newRig(t)
	_, status, body := r.authorize("login_hint", "", "vtr", `["P9.Cp.Cd","P9.Cm"]`)
	if status != http.StatusOK {
		t.Fatalf("wanted the page, got %d", status)
	}
	for _, p := range r.sim.Patients() {
		if !strings.Contains(body, `value="`+p.Key+`"`) {
			t.Errorf("page: wanted %s on it", p.Key)
		}
	}
	form := r.form(body, "act", "continue")
	if form.Get("patient") != "mair-prawf" {
		t.Errorf("chosen at first: wanted the ordinary patient, got %q", form.Get("patient"))
	}
	form.Set("vector", "P9.Cm")
	back, status, _ := r.press("/choose", form)
	if status != http.StatusSeeOther || back.Get("state") != "the-state" {
		t.Fatalf("wanted a code, got %d %v", status, back)
	}
	doc, _ := r.post(r.exchangeForm(back.Get("code")))
	if got := r.claims(doc["id_token"]); got["vot"] != "P9.Cm" {
		t.Errorf("vot: wanted P9.Cm, got %v", got["vot"])
	}
}

func TestChooserRefusals(t *testing.T) {
	r := newRig(t)
	_, _, body := r.authorize("login_hint", "")
	good := r.form(body, "act", "continue")
	for name, row := range map[string]struct{ field, value, says string }{
		"no patient":          {"patient", "", "Choose who is logging in"},
		"unknown patient":     {"patient", "nobody", "Choose who is logging in"},
		"vector not asked":    {"vector", "P0.Cp", "did not ask for that strength"},
		"unknown lie":         {"lie", "made-up", "Choose a lie"},
		"unknown page":        {"page", "made-up", "too old"},
		"script in a patient": {"patient", `"><script>`, "Choose who is logging in"},
	} {
		form := url.Values{}
		for k, v := range good {
			form[k] = v
		}
		form.Set(row.field, row.value)
		back, _, body := r.press("/choose", form)
		if back != nil || !strings.Contains(body, row.says) || !strings.Contains(body, "<title>Error: ") || strings.Contains(body, "<script") {
			t.Errorf("%s: wanted %q, got %v\n%s", name, row.says, back, body)
		}
	}
	back, _, _ := r.press("/choose", r.form(body, "act", "cancel"))
	if back.Get("error") != "access_denied" {
		t.Errorf("cancel: wanted access_denied, got %v", back)
	}
	r.advance(pageLife)
	if _, status, body := r.press("/choose", good); status != http.StatusBadRequest || !strings.Contains(body, "too old") {
		t.Errorf("after an hour: wanted a refusal, got %d", status)
	}
}

func TestFormOfAForeignPageIsRefused(t *testing.T) {
	r := newRig(t)
	_, _, body := r.authorize("login_hint", "")
	for path, form := range map[string]url.Values{"/choose": r.form(body, "act", "continue"), "/nhs-app": {}, "/log-out": {}} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+path, strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", "https://evil.example")
		resp, err := r.browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: wanted 403, got %d", path, resp.StatusCode)
		}
	}
}

func TestConsentPage(t *testing.T) {
	r := newRig(t)
	_, _, body := r.authorize("login_hint", "")
	choose := r.form(body, "act", "continue")
	choose.Set("patient", "huw-gwrthod")
	_, _, body = r.press("/choose", choose)
	if !strings.Contains(body, "Share details with portal?") {
		t.Fatalf("wanted the consent page, got %s", body)
	}
	back, _, _ := r.press("/choose", r.form(body, "consent", "refuse"))
	if back.Get("error") != "access_denied" || back.Get("error_description") != "ConsentNotGiven" || back.Has("code") {
		t.Errorf("refused: got %v", back)
	}
	if back, _, _ := r.press("/choose", r.form(body, "consent", "agree")); !back.Has("code") {
		t.Errorf("agreed: wanted a code, got %v", back)
	}
	if back, _, _ := r.authorize("login_hint", "", "prompt", "none"); back.Get("error") != "login_required" {
		t.Errorf("asked again without a page: wanted login_required, got %v", back)
	}
}

func TestProofPage(t *testing.T) {
	r := newRig(t)
	_, _, body := r.authorize("login_hint", "")
	choose := r.form(body, "act", "continue")
	choose.Set("patient", "dai-canolig")
	_, _, body = r.press("/choose", choose)
	if !strings.Contains(body, "asks for P9. Dai Canolig holds P5") {
		t.Fatalf("wanted the proof page, got %s", body)
	}
	if back, _, _ := r.press("/choose", r.form(body, "proof", "give-up")); back.Get("error") != "access_denied" {
		t.Errorf("gave up: wanted access_denied, got %v", back)
	}
	back, _, _ := r.press("/choose", r.form(body, "proof", "prove"))
	doc, _ := r.post(r.exchangeForm(back.Get("code")))
	if got := r.claims(doc["id_token"]); got["vot"] != "P9.Cp.Cd" || got["identity_proofing_level"] != "P9" {
		t.Errorf("proved: got %v %v", got["vot"], got["identity_proofing_level"])
	}
}

func TestLieOfOneLogin(t *testing.T) {
	r := newRig(t)
	pick := func(lie string) url.Values {
		t.Helper()
		_, _, body := r.authorize("login_hint", "", "prompt", "login")
		form := r.form(body, "act", "continue")
		form.Set("lie", lie)
		back, _, _ := r.press("/choose", form)
		return back
	}
	for lie, want := range map[string]bool{"vot-absent": false, "": true} {
		doc, _ := r.post(r.exchangeForm(pick(lie).Get("code")))
		if _, there := r.claims(doc["id_token"])["vot"]; there != want {
			t.Errorf("lie %q: vot there: wanted %v, got %v", lie, want, there)
		}
	}
	if back := pick("temporarily-unavailable"); back.Get("error") != "temporarily_unavailable" || back.Has("code") {
		t.Errorf("refusal: got %v", back)
	}
	pick("jwks-500")
	resp := r.get("/.well-known/jwks.json", "")
	if resp.Body.Close(); resp.StatusCode != 500 {
		t.Errorf("key set under this login: wanted 500, got %d", resp.StatusCode)
	}
}

func TestNHSApp(t *testing.T) {
	r := newRig(t)
	_, _, body := r.visit(r.browser, r.url+"/nhs-app")
	form := r.form(body, "", "")
	if form.Get("patient") != "ffion-ap" || form.Get("target") != "https://portal.example.org/login/nhs-login" {
		t.Errorf("page: got %v", form)
	}
	for name, target := range map[string]string{
		"foreign": "https://evil.example/", "no URL": "portal", "script": "javascript:alert(1)",
		"fragment": "https://portal.example.org/login/nhs-login#x", "user": "https://portal.example.org@evil.example/",
	} {
		bad := url.Values{"patient": {"ffion-ap"}, "target": {target}}
		if back, _, body := r.press("/nhs-app", bad); back != nil || !strings.Contains(body, "not one of a registered service") {
			t.Errorf("%s: wanted a refusal, got %v", name, back)
		}
	}
	form.Set("target", form.Get("target")+"?lang=cy")
	resp, err := r.browser.PostForm(r.url+"/nhs-app", form)
	if err != nil {
		t.Fatal(err)
	}
	to := resp.Header.Get("Location")
	resp.Body.Close()
	found := regexp.MustCompile(`^https://portal\.example\.org/login/nhs-login\?lang=cy&assertedLoginIdentity=([^&]+)$`).FindStringSubmatch(to)
	if found == nil {
		t.Fatalf("wanted the assertion as the last parameter, got %s", to)
	}
	portal := r.newBrowser()
	ask := r.url + "/authorize?" + r.params("login_hint", "", "prompt", "none", "asserted_login_identity", found[1]).Encode()
	back, _, _ := r.visit(portal, ask)
	doc, _ := r.post(r.exchangeForm(back.Get("code")))
	if got := r.claims(doc["id_token"]); got["sub"] != "907a70c3-1012-4037-b64c-e4228c38fb29" || got["vot"] != "P9.Cp.Cd" {
		t.Errorf("wanted the app's patient, got %v %v", got["sub"], got["vot"])
	}
	if back, _, _ := r.visit(portal, ask); back.Get("error") != "sso_login_required" {
		t.Errorf("second use: wanted sso_login_required, got %v", back)
	}
	raw, err := r.sim.AssertLogin("ffion-ap", true)
	if err != nil {
		t.Fatal(err)
	}
	r.advance(identityLife + skew)
	if back, _, _ := r.visit(portal, r.url+"/authorize?"+r.params("login_hint", "", "prompt", "none", "asserted_login_identity", raw).Encode()); back.Get("error") != "sso_login_required" {
		t.Errorf("late: wanted sso_login_required, got %v", back)
	}
	if _, err := r.sim.AssertLogin("nobody", false); err == nil {
		t.Error("unknown patient: wanted a fault")
	}
}

func TestPagesArePlainAndSafe(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/", "/nhs-app", "/settings", "/authorize", "/authorize?" + r.params("login_hint", "").Encode()} {
		resp := r.get(path, "")
		_, _, body := r.read(resp)
		h := resp.Header
		if !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers: got %v", path, h)
		}
		if strings.Contains(body, "<script") || strings.Contains(body, "style=") {
			t.Errorf("%s: wanted no script and no inline style", path)
		}
		for _, part := range []string{`<html lang="en-GB">`, "<h1>", `href="#main"`, "Every patient here is made up"} {
			if strings.Count(body, part) != 1 {
				t.Errorf("%s: wanted %s once", path, part)
			}
		}
		checkLabels(t, path, body)
	}
	resp := r.get("/simulator.css", "")
	if resp.Body.Close(); !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/css") {
		t.Errorf("style: got %q", resp.Header.Get("Content-Type"))
	}
}

// checkLabels wants a label for every field, and every id once.
func checkLabels(t *testing.T, path, body string) {
	t.Helper()
	ids, labels := map[string]int{}, map[string]bool{}
	var fields []string
	for _, x := range tags(body) {
		if id, ok := x.attr["id"]; ok {
			ids[id]++
		}
		if x.name == "label" {
			labels[x.attr["for"]] = true
		}
		if (x.name == "input" || x.name == "select") && x.attr["type"] != "hidden" {
			fields = append(fields, x.attr["id"])
		}
	}
	for _, id := range fields {
		if !labels[id] {
			t.Errorf("%s: field %q: wanted a label", path, id)
		}
	}
	for id, n := range ids {
		if n != 1 {
			t.Errorf("%s: id %q: wanted once, got %d times", path, id, n)
		}
	}
}

func TestMethodsAndPaths(t *testing.T) {
	r := newRig(t)
	for route, want := range map[string]int{
		"GET /token": 405, "PUT /token": 405, "DELETE /faults": 405, "POST /.well-known/jwks.json": 405,
		"GET /choose": 405, "GET /nothing": 404, "GET /.well-known/other": 404,
	} {
		method, path, _ := strings.Cut(route, " ")
		req, _ := http.NewRequestWithContext(t.Context(), method, r.url+path, nil)
		resp, err := r.browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != want {
			t.Errorf("%s: wanted %d, got %d", route, want, resp.StatusCode)
		}
	}
}

func TestBeforeItHasAnIssuer(t *testing.T) {
	r := newRig(t)
	sim, err := New(Options{Now: r.now})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	sim.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/.well-known/openid-configuration", nil))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("wanted 503, got %d", w.Code)
	}
	if err := sim.SetIssuer("https://auth.example.org/nhs"); err != nil {
		t.Fatal(err)
	}
	w = httptest.NewRecorder()
	sim.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/nhs", nil))
	if got := w.Header().Get("Location"); got != "https://auth.example.org/nhs/" {
		t.Errorf("wanted the home page, got %d %q", w.Code, got)
	}
}
