package provider

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
)

func TestParseClaims(t *testing.T) {
	for name, row := range map[string]struct {
		doc string
		ok  bool
	}{
		"an object":                       {`{"sub":"a","n":{"b":[1,2]}}`, true},
		"white space around":              {" \n{\"sub\":\"a\"}\t", true},
		"empty":                           {`{}`, true},
		"names that differ in case":       {`{"sub":"a","SUB":"b"}`, true}, // two names: only the exact one is read
		"a name twice":                    {`{"sub":"a","sub":"b"}`, false},
		"a name twice, once escaped":      {`{"sub":"a","s\u0075b":"b"}`, false},
		"two objects":                     {`{"sub":"a"}{"sub":"b"}`, false},
		"something behind":                {`{"sub":"a"} x`, false},
		"a list":                          {`["sub"]`, false},
		"a string":                        {`"sub"`, false},
		"null":                            {`null`, false},
		"nothing":                         {``, false},
		"cut off":                         {`{"sub":"a"`, false},
		"invalid UTF-8":                   {"{\"sub\":\"a\xff\"}", false},
		"J2: a hundred thousand brackets": {`{"sub":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, false},
	} {
		if _, err := parseClaims([]byte(row.doc)); (err == nil) != row.ok {
			t.Errorf("%s: got %v", name, err)
		}
	}
	c, err := parseClaims([]byte(`{"SUB":"b","Sub":"c"}`))
	if sub, there := c.text("sub"); err != nil || there {
		t.Errorf("sub in other letters: wanted none, got %q %v", sub, err)
	}
}

func TestClaims(t *testing.T) {
	c, err := parseClaims([]byte(`{
		"s":"a","null":null,"n":1700000000,"f":1700000000.5,"big":1e300,"neg":-5,"ns":"1700000000","yes":true,"ys":"true","one":1,"No":"True",
		"l":["a","b"],"ln":["a",null],"l1":["a",1],"obj":{}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"s": true, "null": false, "n": false, "l": false, "absent": false} {
		if _, ok := c.text(name); ok != want {
			t.Errorf("text %s: wanted %v", name, want)
		}
	}
	for name, want := range map[string]int{"s": 1, "l": 2, "ln": -1, "l1": -1, "null": -1, "obj": -1, "absent": -1} {
		if got, ok := c.texts(name); ok != (want >= 0) || ok && len(got) != want {
			t.Errorf("texts %s: wanted %d, got %v %v", name, want, got, ok)
		}
	}
	for name, want := range map[string]bool{"n": true, "f": true, "big": false, "neg": false, "ns": false, "null": false, "absent": false} {
		if at, ok := c.instant(name); ok != want || ok && at.Unix() != 1_700_000_000 {
			t.Errorf("instant %s: wanted %v, got %s", name, want, at)
		}
	}
	for name, want := range map[string]bool{"yes": true, "ys": true, "one": false, "No": false, "null": false, "absent": false} {
		if c.yes(name) != want {
			t.Errorf("yes %s: wanted %v", name, want)
		}
	}
}

var judged = time.Date(2027, 3, 1, 10, 0, 0, 0, time.UTC)

func wanted() expected {
	return expected{issuer: "https://login.example.org", client: "dilys", nonce: "the-nonce", now: judged}
}

// goodClaims are those of an ID token that is let in, changed by name; nil leaves
// one out.
func goodClaims(change map[string]any) []byte {
	all := map[string]any{
		"iss": "https://login.example.org", "aud": "dilys", "sub": "a-subject", "nonce": "the-nonce",
		"iat": judged.Unix(), "exp": judged.Unix() + 3600,
	}
	for name, v := range change {
		if all[name] = v; v == nil {
			delete(all, name)
		}
	}
	doc, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return doc
}

// TestB1 is the part of the row that needs no provider to lie: values at the edge.
func TestB1(t *testing.T) {
	type set = map[string]any
	at := func(d time.Duration) int64 { return judged.Add(d).Unix() }
	for name, row := range map[string]struct {
		change set
		cause  string
	}{
		"good":                      {nil, ""},
		"aud as a list":             {set{"aud": []string{"dilys"}}, ""},
		"aud: another beside us":    {set{"aud": []string{"dilys", "another"}}, causeAudience},
		"aud: an empty list":        {set{"aud": []string{}}, causeAudience},
		"aud: an object":            {set{"aud": set{"dilys": true}}, causeAudience},
		"aud in other letters":      {set{"aud": "Dilys"}, causeAudience},
		"azp: us":                   {set{"azp": "dilys"}, ""},
		"azp: a list":               {set{"azp": []string{"dilys"}}, causeParty},
		"azp: empty":                {set{"azp": ""}, causeParty},
		"iss: a list":               {set{"iss": []string{"https://login.example.org"}}, causeIssuer},
		"iss in other letters":      {set{"iss": "https://LOGIN.example.org"}, causeIssuer},
		"expired within the skew":   {set{"exp": at(-time.Minute)}, ""},
		"expired past the skew":     {set{"exp": at(-61 * time.Second)}, causeExpired},
		"exp a day ahead":           {set{"exp": at(24 * time.Hour)}, ""},
		"exp past a day ahead":      {set{"exp": at(24*time.Hour + time.Second)}, causeExpiry},
		"exp as text":               {set{"exp": "1900000000"}, causeExpiry},
		"exp: beyond any calendar":  {set{"exp": 1e18}, causeExpiry},
		"iat ahead within the skew": {set{"iat": at(time.Minute)}, ""},
		"iat ahead past the skew":   {set{"iat": at(61 * time.Second)}, causeIssued},
		"nbf ahead within the skew": {set{"nbf": at(time.Minute)}, ""},
		"nbf ahead past the skew":   {set{"nbf": at(61 * time.Second)}, causeNotYet},
		"nbf as text":               {set{"nbf": "now"}, causeNotYet},
		"nonce: a list":             {set{"nonce": []string{"the-nonce"}}, causeNonce},
		"nonce: empty":              {set{"nonce": ""}, causeNonce},
		"sub of 255":                {set{"sub": strings.Repeat("s", 255)}, ""},
		"sub of 256":                {set{"sub": strings.Repeat("s", 256)}, causeSubject},
		"sub: spaces":               {set{"sub": "  "}, causeSubject},
		"sub: a line end":           {set{"sub": "a\nb"}, causeSubject},
		"sub: beyond ASCII":         {set{"sub": "siân"}, causeSubject},
	} {
		c, err := parseClaims(goodClaims(row.change))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if refused := judgeIDToken(c, wanted()); refused != nil {
			got = refused.Cause
		}
		if got != row.cause {
			t.Errorf("%s: wanted %q, got %q", name, row.cause, got)
		}
	}
	empty := wanted()
	empty.nonce = "" // nothing remembered never equals nothing sent
	c, _ := parseClaims(goodClaims(set{"nonce": ""}))
	if refused := judgeIDToken(c, empty); refused == nil || refused.Cause != causeNonce {
		t.Errorf("empty nonces: wanted %s, got %v", causeNonce, refused)
	}
}

func TestAuthTime(t *testing.T) {
	for name, row := range map[string]struct {
		value any
		want  time.Time
	}{
		"said":                {judged.Unix() - 5, judged.Add(-5 * time.Second)},
		"within the skew":     {judged.Unix() + 60, judged.Add(time.Minute)},
		"in the future":       {judged.Unix() + 61, time.Time{}},
		"absent":              {nil, time.Time{}},
		"text":                {"1700000000", time.Time{}},
		"zero":                {0, time.Time{}},
		"before any calendar": {-1e30, time.Time{}},
	} {
		c, err := parseClaims(goodClaims(map[string]any{"auth_time": row.value}))
		if got := authTime(c, judged); err != nil || !got.Equal(row.want) {
			t.Errorf("%s: wanted %s, got %s %v", name, row.want, got, err)
		}
	}
}

func TestPulse(t *testing.T) {
	answer := func(p *pulse, now time.Time) bool { return p.answered(0, now) }
	fail := func(p *pulse, now time.Time) bool { return p.failed("silent", now) }
	look := func(p *pulse, now time.Time) bool { return p.looked(0, now) }
	miss := func(p *pulse, now time.Time) bool { return p.unseen("unseen", now) }
	disown := func(p *pulse, now time.Time) bool { return p.disowned("other", now) }
	type acts = []func(*pulse, time.Time) bool
	for name, row := range map[string]struct {
		acts acts
		want State
	}{
		"never looked":                        {nil, Unknown},
		"first look":                          {acts{look}, OK},
		"first look fails":                    {acts{miss}, Down},
		"first look fails, second does not":   {acts{miss, look}, OK},
		"one silence":                         {acts{look, fail}, Slow},
		"two silences, an answer":             {acts{look, fail, fail, answer}, OK},
		"three silences":                      {acts{look, fail, fail, fail}, Down},
		"silence and answer by turns":         {acts{look, fail, fail, answer, fail, fail}, Slow},
		"three silences, a look":              {acts{look, fail, fail, fail, look}, Slow},
		"half open, silence":                  {acts{look, fail, fail, fail, look, fail}, Down},
		"half open, answer":                   {acts{look, fail, fail, fail, look, answer}, OK},
		"many silences, one look, one answer": {acts{look, fail, fail, fail, fail, fail, fail, look, answer}, OK},
		"two missed looks":                    {acts{look, miss, miss}, Slow},
		"three missed looks":                  {acts{look, miss, miss, miss}, Down},
		"missed looks, answers between":       {acts{look, miss, miss, answer, miss, miss}, Slow},
		"disowned":                            {acts{look, disown}, Down},
		"disowned, then owned":                {acts{look, disown, look}, OK},
	} {
		p := &pulse{}
		var before State
		for i, act := range row.acts {
			changed := act(p, judged.Add(time.Duration(i)*time.Second))
			if now := p.health().State; changed != (now != before) {
				t.Errorf("%s: act %d: wanted it to tell a change from %q to %q", name, i, before, now)
			} else if changed && !p.health().Since.Equal(judged.Add(time.Duration(i)*time.Second)) {
				t.Errorf("%s: act %d: since %s", name, i, p.health().Since)
			}
			before = p.health().State
		}
		h := p.health()
		if h.State != row.want || (h.Fault == "") != (h.State == OK || h.State == Unknown) || p.open() != (h.State == Down) {
			t.Errorf("%s: wanted %s, got %+v", name, row.want, h)
		}
	}
}

// FuzzIDToken: whatever claims come, what is let in is for us, for this login, by
// this issuer, and names one subject.
func FuzzIDToken(f *testing.F) {
	for _, change := range []map[string]any{
		nil, {"aud": []string{"dilys", "b"}}, {"azp": "dilys"}, {"exp": 1e300}, {"nbf": -1}, {"nonce": nil}, {"sub": ""}, {"iss": 1},
	} {
		f.Add(goodClaims(change))
	}
	f.Add([]byte(`{"sub":"a","SUB":"b","s\u0075b":"c"}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		c, err := parseClaims(doc)
		if err != nil || judgeIDToken(c, wanted()) != nil {
			return
		}
		if !json.Valid(doc) {
			t.Fatal("let in what is no JSON")
		}
		subject, _ := c.text("sub")
		issuer, _ := c.text("iss")
		nonce, _ := c.text("nonce")
		audience, _ := c.texts("aud")
		expires, _ := c.instant("exp")
		if subject == "" || len(subject) > maxSubject || issuer != wanted().issuer || nonce != "the-nonce" || len(audience) == 0 ||
			expires.Before(judged.Add(-identity.Skew)) || authTime(c, judged).After(judged.Add(identity.Skew)) {
			t.Fatalf("let in: %s", doc)
		}
		_, _ = detailsOf(c, identity.P9)
	})
}

// FuzzDiscovery: whatever document comes, what is believed leads nowhere but to
// https.
func FuzzDiscovery(f *testing.F) {
	const issuer = "https://login.example.org"
	honest := `{"issuer":"` + issuer + `","authorization_endpoint":"` + issuer + `/a","token_endpoint":"` + issuer +
		`/t","userinfo_endpoint":"` + issuer + `/u","jwks_uri":"` + issuer + `/k","code_challenge_methods_supported":["S256"]}`
	f.Add([]byte(honest))
	f.Add([]byte(strings.Replace(honest, issuer+"/k", "file:///etc/passwd", 1)))
	f.Add([]byte(strings.Replace(honest, issuer+"/t", "http://169.254.169.254/", 1)))
	f.Add([]byte(strings.Replace(honest, `{"issuer"`, `{"issuer":"x","issuer"`, 1)))
	f.Add([]byte(strings.Replace(honest, `["S256"]`, `{"S256":1}`, 1)))
	if m, err := parseMetadata([]byte(honest), issuer, false); err != nil || !m.pkce {
		f.Fatalf("the honest document: got %v", err)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		m, err := parseMetadata(doc, issuer, false)
		if err != nil {
			return
		}
		for _, endpoint := range []string{m.authorization, m.token, m.userinfo, m.jwks} {
			if !strings.HasPrefix(strings.ToLower(endpoint), "https://") {
				t.Fatalf("believed %q", endpoint)
			}
		}
	})
}

// FuzzChallenge: nothing kept can make Finish panic, and nothing of another
// provider passes.
func FuzzChallenge(f *testing.F) {
	p := &Provider{cfg: Config{ID: "nhs-login", Issuer: "https://login.example.org"}}
	f.Add([]byte(`{"provider":"nhs-login","issuer":"https://login.example.org","nonce":"n","asked":["P9.Cm"]}`))
	f.Add([]byte(`{"provider":"other","issuer":"https://login.example.org","nonce":"n"}`))
	f.Add([]byte(`{"asked":["P9"]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, kept []byte) {
		c, refused := p.readChallenge(kept)
		if refused == nil && (c.Provider != "nhs-login" || c.Issuer != p.cfg.Issuer || c.Nonce == "") {
			t.Fatalf("let in: %s", kept)
		}
	})
}
