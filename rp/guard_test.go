package rp

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/session"
)

// What may POST: a page of ours, as the browser tells it (attack: a form or a
// script of another site).
func TestSameOrigin(t *testing.T) {
	const yes, no = true, false
	for name, row := range map[string]struct {
		method  string
		headers []string
		want    bool
	}{
		"a page of ours":                               {http.MethodPost, []string{"Sec-Fetch-Site", "same-origin", "Origin", origin}, yes},
		"a page of ours, without Origin":               {http.MethodPost, []string{"Sec-Fetch-Site", "same-origin"}, yes},
		"a page of ours that hides where it is":        {http.MethodPost, []string{"Sec-Fetch-Site", "same-origin", "Origin", "null"}, yes},
		"the patient's own doing":                      {http.MethodPost, []string{"Sec-Fetch-Site", "none"}, yes},
		"a sibling under the same domain":              {http.MethodPost, []string{"Sec-Fetch-Site", "same-site", "Origin", "https://other.example.com"}, no},
		"another site":                                 {http.MethodPost, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, no},
		"another site that claims our Origin":          {http.MethodPost, []string{"Sec-Fetch-Site", "cross-site", "Origin", origin}, no},
		"a word that no browser says":                  {http.MethodPost, []string{"Sec-Fetch-Site", "SAME-ORIGIN"}, no},
		"an old browser, from a page of ours":          {http.MethodPost, []string{"Origin", origin}, yes},
		"an old browser, from another site":            {http.MethodPost, []string{"Origin", "https://evil.example"}, no},
		"an old browser, from a page without origin":   {http.MethodPost, []string{"Origin", "null"}, no},
		"an old browser, over plain http (downgraded)": {http.MethodPost, []string{"Origin", "http://login.example.com"}, no},
		"an old browser, from another port":            {http.MethodPost, []string{"Origin", origin + ":8443"}, no},
		"an old browser, from our name and more":       {http.MethodPost, []string{"Origin", origin + ".evil.example"}, no},
		"an old browser, our name in capitals":         {http.MethodPost, []string{"Origin", "https://LOGIN.example.com"}, no},
		"an old browser, an Origin that is none":       {http.MethodPost, []string{"Origin", "://"}, no},
		"no browser at all":                            {http.MethodPost, nil, yes},
		"a link of another site":                       {http.MethodGet, []string{"Sec-Fetch-Site", "cross-site"}, yes},
		"another method of another site":               {http.MethodDelete, []string{"Sec-Fetch-Site", "cross-site"}, no},
	} {
		if got := newHouse(t).sameOrigin(request(row.method, "/logout", nil, row.headers...)); got != row.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestGuard(t *testing.T) {
	keys := func(n int) string {
		values := url.Values{}
		for i := range n {
			values.Set(strings.Repeat("k", i+1), "v")
		}
		return values.Encode()
	}
	long := func(prefix string, n int) string { return prefix + strings.Repeat("a", n-len(prefix)) }
	for name, row := range map[string]struct {
		r      *http.Request
		status int // 0: let through
		cause  string
	}{
		"a page":                                {get("/help?a=b"), 0, ""},
		"the longest query":                     {get("/help?" + long("a=", maxQuery)), 0, ""},
		"a byte more":                           {get("/help?" + long("a=", maxQuery+1)), http.StatusRequestURITooLong, "query-too-long"},
		"a byte more, of a POST":                {post("/logout?"+long("a=", maxQuery+1), ""), http.StatusRequestURITooLong, "query-too-long"},
		"a form":                                {post("/logout", "a=b"), 0, ""},
		"a form of another site":                {post("/logout", "a=b", "Sec-Fetch-Site", "cross-site"), http.StatusForbidden, "cross-origin-post"},
		"the longest form":                      {post("/logout", long("a=", maxForm)), 0, ""},
		"a byte more in a form":                 {post("/logout", long("a=", maxForm+1)), http.StatusBadRequest, "form-unreadable"},
		"as many keys as a form may have":       {post("/logout", keys(maxFormKeys)), 0, ""},
		"a key more":                            {post("/logout", keys(maxFormKeys+1)), http.StatusBadRequest, "form-unreadable"},
		"a form that can't be decoded":          {post("/logout", "a=%zz"), http.StatusBadRequest, "form-unreadable"},
		"a form with semicolons":                {post("/logout", "a=b;c=d"), http.StatusBadRequest, "form-unreadable"},
		"a query that can't be decoded, POSTed": {post("/logout?a=%zz", ""), http.StatusBadRequest, "form-unreadable"},
		"a body that is no form":                {post("/logout", `{"a":"b"}`, "Content-Type", "application/json"), 0, ""},
		"a query that can't be decoded":         {get("/help?a=%zz"), 0, ""},
		"a GET with a body, which is not read":  {request(http.MethodGet, "/help", strings.NewReader("a=%zz"), "Sec-Fetch-Site", "cross-site"), 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h, reached := newHouse(t), false
			r, n := withNote(row.r)
			w := h.run(r, func(*visit) error { reached = true; return nil })
			if reached != (row.status == 0) {
				t.Fatalf("reached the page: %v", reached)
			}
			if row.status == 0 {
				return
			}
			if w.Code != row.status || n.cause != row.cause {
				t.Errorf("wanted %d %s, got %d %s", row.status, row.cause, w.Code, n.cause)
			}
			if n.reference == "" || !strings.Contains(w.Body.String(), n.reference) {
				t.Errorf("the page does not show its reference %q", n.reference)
			}
		})
	}
}

func TestOnlyAFormsOwnFieldsAreRead(t *testing.T) {
	for name, row := range map[string]struct {
		r            *http.Request
		field, param string
	}{
		"one in the form":              {post("/x", "to=form"), "form", ""},
		"one in the address":           {post("/x?to=address", ""), "", "address"},
		"one in each":                  {post("/x?to=address", "to=form"), "form", "address"},
		"twice in the form":            {post("/x", "to=a&to=b"), "", ""},
		"the same twice in the form":   {post("/x", "to=a&to=a"), "", ""},
		"twice in the address":         {post("/x?to=a&to=b", ""), "", ""},
		"the name in another spelling": {post("/x?To=a", "TO=b"), "", ""},
	} {
		newHouse(t).run(row.r, func(v *visit) error {
			if got := v.field("to"); got != row.field {
				t.Errorf("%s: field %q", name, got)
			}
			if got := v.param("to"); got != row.param {
				t.Errorf("%s: parameter %q", name, got)
			}
			return nil
		})
	}
}

func TestSessionOfAVisit(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*house, *session.State)
		cookie func(identity.Secret) string
		live   bool
		status int
		clears bool // the language, on a device that is not theirs
	}{
		"live":                          {live: true, status: http.StatusOK},
		"no cookie":                     {cookie: func(identity.Secret) string { return "" }, status: http.StatusOK},
		"an unknown secret":             {cookie: func(identity.Secret) string { return identity.NewToken().Reveal() }, status: http.StatusOK},
		"a cookie that is none of ours": {cookie: func(s identity.Secret) string { return s.Reveal() + "x" }, status: http.StatusOK},
		"a cookie that is none of ours is not looked up": {
			change: func(h *house, _ *session.State) { h.down = errDown },
			cookie: func(s identity.Secret) string { return s.Reveal() + "x" }, status: http.StatusOK,
		},
		"ended":                 {change: func(_ *house, s *session.State) { s.Ended = epoch }, status: http.StatusOK},
		"idle":                  {change: func(_ *house, s *session.State) { s.Seen = epoch.Add(-s.Limits.Idle) }, status: http.StatusOK},
		"of an earlier epoch":   {change: func(_ *house, s *session.State) { s.AccountEpoch++ }, status: http.StatusOK},
		"of a disabled account": {change: func(_ *house, s *session.State) { s.Admitted = false }, status: http.StatusOK},
		"over, on a device that is shared": {
			change: func(_ *house, s *session.State) { s.Shared, s.Ended = true, epoch }, status: http.StatusOK, clears: true,
		},
		"live, on a device that is shared": {change: func(_ *house, s *session.State) { s.Shared = true }, live: true, status: http.StatusOK},
		"the store is away": {
			change: func(h *house, _ *session.State) { h.down = errDown }, status: http.StatusServiceUnavailable,
		},
		"the store is away, and no session is claimed": {
			change: func(h *house, _ *session.State) { h.down = errDown },
			cookie: func(identity.Secret) string { return "" }, status: http.StatusOK,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			secret := h.loggedIn(func(s *session.State) {
				if row.change != nil {
					row.change(h, s)
				}
			})
			value := secret.Reveal()
			if row.cookie != nil {
				value = row.cookie(secret)
			}
			r := get("/help")
			if value != "" {
				r.AddCookie(&http.Cookie{Name: "__Host-dilys", Value: value})
			}
			live := false
			w := h.run(r, func(v *visit) error { live = v.session != nil; return nil })
			if w.Code != row.status || live != row.live {
				t.Errorf("wanted %d and a session: %v, got %d, %v", row.status, row.live, w.Code, live)
			}
			if clears := strings.Contains(w.Header().Get("Set-Cookie"), "__Host-dilys-lang=; Path=/; Max-Age=0"); clears != row.clears {
				t.Errorf("wanted the language cleared: %v, got %q", row.clears, w.Header()["Set-Cookie"])
			}
		})
	}
}

func TestLanguage(t *testing.T) {
	for name, row := range map[string]struct {
		query, cookie, accept, want string
	}{
		"nothing is known: the first configured": {"", "", "", "en"},
		"asked for":                              {"?lang=cy", "en", "en", "cy"},
		"remembered":                             {"", "cy", "en", "cy"},
		"the browser's":                          {"", "", "cy-GB,cy;q=0.9,en;q=0.8", "cy"},
		"asked for one that we don't speak":      {"?lang=fr", "cy", "en", "cy"},
		"remembered one that we don't speak":     {"", "fr", "cy", "cy"},
		"the browser's that we don't speak":      {"", "", "fr,de", "en"},
		"asked for twice":                        {"?lang=cy&lang=cy", "", "", "en"},
		"asked for in capitals":                  {"?lang=CY", "", "", "en"},
		"asked for with markup":                  {"?lang=cy%22%3E%3Cscript%3E", "", "", "en"},
		"a cookie with markup":                   {"", "cy\"><script>", "", "en"},
	} {
		h, r := newHouse(t), get("/help"+row.query, "Accept-Language", row.accept)
		if row.cookie != "" {
			r.Header.Set("Cookie", "__Host-dilys-lang="+row.cookie)
		}
		if got := h.language(r); got != row.want {
			t.Errorf("%s: got %q", name, got)
		}
	}
	welsh := newHouse(t, func(o *Options) { o.Languages = []string{"cy"} })
	if got := welsh.language(get("/?lang=en", "Accept-Language", "en")); got != "cy" {
		t.Errorf("a language that is not configured was chosen: %q", got)
	}
}

func TestPreferred(t *testing.T) {
	for header, want := range map[string]string{
		"":                                 "",
		"*":                                "",
		"en":                               "en",
		"cy":                               "cy",
		"cy-GB":                            "cy",
		"EN-gb;q=0.8":                      "en",
		"fr, cy;q=0.5":                     "cy",
		" cy ; q=1":                        "",
		"\tcy":                             "cy",
		"cymraeg, english":                 "",
		"fr;q=1,de":                        "",
		";;;,,,-,cy":                       "cy",
		strings.Repeat("fr,", 9) + "cy,de": "cy",
		strings.Repeat("fr,", 9) + "cy":    "cy",
		strings.Repeat("fr,", 10) + "cy":   "",
		strings.Repeat(",", 1<<20) + "cy":  "",
		strings.Repeat("a", 1<<20) + ",cy": "cy",
	} {
		if got := preferred(header); got != want {
			t.Errorf("%.40q: got %q", header, got)
		}
	}
}

func TestRememberLanguage(t *testing.T) {
	const kept = "__Host-dilys-lang=cy; Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Lax"
	for name, row := range map[string]struct {
		target string
		want   []string
	}{
		"chosen on the page":                {"/help?lang=cy", []string{kept}},
		"not chosen":                        {"/help", nil},
		"one that we don't speak":           {"/help?lang=fr", nil},
		"chosen twice":                      {"/help?lang=cy&lang=en", nil},
		"with something set behind (split)": {"/help?lang=cy%0d%0aSet-Cookie:%20a=b", nil},
	} {
		w := newHouse(t).run(get(row.target), func(*visit) error { return nil })
		got := w.Header()["Set-Cookie"]
		if strings.Join(got, "\n") != strings.Join(row.want, "\n") {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestHere(t *testing.T) {
	for name, row := range map[string]struct {
		r    *http.Request
		path string
		want string
	}{
		"a page with its query":                   {get("/login?request=x&lang=cy"), "", "/login?request=x&lang=cy"},
		"what a form sent is not asked again":     {post("/logout?a=b", "c=d"), "", "/logout"},
		"what was good for one use is left out":   {get("/login/nhs-login/callback?code=x&state=y"), "/login", "/login"},
		"what was good for one use, POSTed":       {post("/login/nhs-login?assertedLoginIdentity=x", ""), "/login", "/login"},
		"an escaped path stays as it was written": {get("/a%2Fb"), "", "/a%2Fb"},
	} {
		v := &visit{Server: newHouse(t).Server, r: row.r, path: row.path}
		if got := v.here(); got != row.want {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// The link to the other language leads to our own host, whatever was asked for.
func TestLanguageSwitchStaysHere(t *testing.T) {
	for _, target := range []string{"//evil.example/x", "/\\evil.example", "///evil.example", "/%2f%2fevil.example/", "/.//evil.example", "/help?x=\"><script>"} {
		r := get("/")
		u, err := url.ParseRequestURI(target)
		if err != nil {
			u = &url.URL{Path: target}
		}
		r.URL, r.RequestURI = u, target
		if strings.HasPrefix(target, "//") {
			r.URL = &url.URL{Path: target} // as the server of net/http reads it
		}
		body := newHouse(t).ask(r).Body.String()
		for _, bad := range []string{`href="//`, `href="/\`, `href="https://evil`, `"><script>`} {
			if strings.Contains(body, bad) {
				t.Errorf("%q: the page has %s", target, bad)
			}
		}
	}
}

func TestContentSecurityPolicy(t *testing.T) {
	const before = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; font-src 'none'; " +
		"base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'"
	for want, origins := range map[string][]string{
		before:                                 nil,
		before + " https://portal.example.com": {"https://portal.example.com"},
		before + " https://portal.example.com https://auth.example.org": {"https://portal.example.com", "https://auth.example.org"},
	} {
		if got := contentSecurityPolicy(origins); got != want {
			t.Errorf("%v: got %s", origins, got)
		}
	}
	for _, loose := range []string{"unsafe", "*", "data:", "blob:", "http:"} {
		if strings.Contains(contentSecurityPolicy(nil), loose) {
			t.Errorf("the policy says %s", loose)
		}
	}
}

// Every answer has the headers, whatever became of the request.
func TestHeadersStandOnEveryAnswer(t *testing.T) {
	h := newHouse(t)
	patient := h.loggedIn()
	h.routes = panicking(h.routes)
	for name, r := range map[string]*http.Request{
		"a page":                  get("/help"),
		"a page of a session":     withSession(get("/logout"), patient),
		"a redirect":              get("/"),
		"no such page":            get("/nowhere"),
		"no such method":          post("/help", ""),
		"a method nobody knows":   request("BREW", "/help", nil),
		"a refusal":               post("/logout", "", "Sec-Fetch-Site", "cross-site"),
		"a machine's answer":      get("/.well-known/openid-configuration"),
		"a machine's refusal":     post("/token", ""),
		"a check":                 get("/check"),
		"security.txt":            get("/.well-known/security.txt"),
		"an asset that is not":    get("/assets/nothing.css"),
		"a handler that panicked": get("/panic"),
	} {
		headers := h.ask(r).Header()
		for header, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			"Permissions-Policy":        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
			"Strict-Transport-Security": "max-age=63072000; includeSubDomains",
		} {
			if got := headers.Get(header); got != want {
				t.Errorf("%s: %s is %q", name, header, got)
			}
		}
		if csp := headers.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; ") {
			t.Errorf("%s: policy %q", name, csp)
		}
		if cache := headers.Get("Cache-Control"); cache != "no-store" && name != "a machine's answer" {
			t.Errorf("%s: Cache-Control is %q", name, cache)
		}
	}
	plain := newHouse(t, func(o *Options) { o.PlainHTTP = true })
	if got := plain.ask(get("/help")).Header().Get("Strict-Transport-Security"); got != "" {
		t.Errorf("plain http: Strict-Transport-Security is %q", got)
	}
}

// panicking breaks one path.
func panicking(routes http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("index out of range: patient 999 000 0018")
		}
		routes.ServeHTTP(w, r)
	})
}

func TestBrowserCookieOfAVisit(t *testing.T) {
	h := newHouse(t)
	given := identity.NewToken()
	for name, row := range map[string]struct {
		has    identity.Secret
		shared bool
		want   string // attributes of what is set
	}{
		"a new browser":               {"", false, "; Path=/; Max-Age=34560000; HttpOnly; Secure; SameSite=Lax"},
		"a device that is not theirs": {"", true, "; Path=/; HttpOnly; Secure; SameSite=Lax"},
		"one that was here":           {given, false, ""},
		"one that was here, shared":   {given, true, ""},
	} {
		w := httptest.NewRecorder()
		v := &visit{Server: h.Server, w: w, browser: row.has}
		got := v.ensureBrowser(row.shared)
		if row.has != "" && got != row.has || !got.IsToken() || v.browser != got {
			t.Errorf("%s: another value was given", name)
		}
		want := ""
		if row.want != "" {
			want = "__Host-dilys-browser=" + got.Reveal() + row.want
		}
		if set := w.Header().Get("Set-Cookie"); set != want {
			t.Errorf("%s: wanted %q, got %q", name, want, set)
		}
	}
}
