package service_test

import (
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/rp/provider/simulator"
)

// The provider side of the attack table: each row is driven through the whole
// service, by a browser, against a provider that lies. What counts is what the
// patient's browser holds afterwards, and what Dilys did not ask any more.

// Where a login that is told a lie must have ended.
const (
	cold       = iota // before the patient left
	nowhere           // before anything was exchanged
	atToken           // after the exchange: userinfo is not asked after a bad ID token
	atUserinfo        // after userinfo
)

// in says that the patient is let in.
const in = ""

// lie is what a lie comes to.
type lie struct {
	row   string // of the attack table
	cause string // in the audit, or in
	ends  int
}

// lies are told in the course of one login, to a service that knows the provider
// and its keys.
var lies = map[string]lie{
	"invalid-iss":       {"B1", "issuer-mismatch", atToken},
	"iss-slash":         {"B1", "issuer-mismatch", atToken},
	"missing-iss":       {"B1", "issuer-mismatch", atToken},
	"invalid-aud":       {"B1", "audience-mismatch", atToken},
	"aud-others":        {"B1", "audience-mismatch", atToken},
	"missing-aud":       {"B1", "audience-mismatch", atToken},
	"azp-wrong":         {"B1", "authorized-party-mismatch", atToken},
	"missing-sub":       {"B1", "subject-unfit", atToken},
	"empty-sub":         {"B1", "subject-unfit", atToken},
	"sub-number":        {"B1", "id-token-unreadable", atToken},
	"long-sub":          {"B1", "subject-unfit", atToken},
	"duplicate-sub":     {"B1", "id-token-signature", atToken},
	"nonce-invalid":     {"B1", "nonce-mismatch", atToken},
	"missing-nonce":     {"B1", "nonce-mismatch", atToken},
	"at_hash-wrong":     {"B1", "access-token-mismatch", atToken},
	"exp-missing":       {"B1", "id-token-expiry-unfit", atToken},
	"exp-past":          {"B1", "id-token-expired", atToken},
	"exp-far-future":    {"B1", "id-token-expiry-unfit", atToken},
	"iat-missing":       {"B1", "id-token-issue-time-unfit", atToken},
	"iat-future":        {"B1", "id-token-issue-time-unfit", atToken},
	"iat-past":          {"B1", in, atUserinfo}, // the nonce binds it to this login
	"nbf-future":        {"B1", "id-token-not-yet-valid", atToken},
	"auth_time-missing": {"B1", in, atUserinfo}, // unproved freshness, judged where it is asked for: TestB9
	"auth_time-old":     {"B1", in, atUserinfo},
	"auth_time-future":  {"B1", in, atUserinfo},

	"invalid-sig":           {"B2", "id-token-signature", atToken},
	"empty-sig":             {"B2", "id-token-signature", atToken},
	"alg-none":              {"B2", "id-token-signature", atToken},
	"hs256-with-public-key": {"B2", "id-token-signature", atToken},
	"other-key":             {"B2", "id-token-signature", atToken},
	"jku-header":            {"B2", "id-token-signature", atToken},
	"x5u-header":            {"B2", "id-token-signature", atToken},
	"jwk-header":            {"B2", "id-token-signature", atToken},
	"unknown-crit":          {"B2", "id-token-signature", atToken},
	"typ-access-token":      {"B2", "id-token-of-another-kind", atToken},
	"kid-absent":            {"B2", in, atUserinfo},
	"kid-unknown":           {"B2", "id-token-signature", atToken},
	"kid-hostile":           {"B2", "id-token-signature", atToken},
	"garbage":               {"B2", "id-token-signature", atToken},
	"many-dots":             {"B2", "id-token-signature", atToken},

	"key-rotation":                     {"B3", in, atUserinfo},
	"key-rotation-just-before-signing": {"B3", in, atUserinfo},

	"state-wrong":   {"B6", "callback-unknown", nowhere},
	"state-missing": {"B6", "callback-unknown", nowhere},
	"code-wrong":    {"B6", "code-not-accepted", atToken},
	"code-missing":  {"B6", "code-absent", nowhere},

	"iss-parameter-wrong":   {"B7", "callback-issuer-mismatch", nowhere},
	"iss-parameter-missing": {"B7", "callback-issuer-absent", nowhere},

	"huge-sub":                {"B8", "token-endpoint-unavailable", atToken}, // a document over the limit
	"userinfo-other-sub":      {"B8", "userinfo-of-another-subject", atUserinfo},
	"userinfo-missing-sub":    {"B8", "userinfo-of-another-subject", atUserinfo},
	"userinfo-sub-case":       {"B8", "userinfo-of-another-subject", atUserinfo},
	"userinfo-sub-space":      {"B8", "userinfo-of-another-subject", atUserinfo},
	"email-verified-string":   {"B8", in, atUserinfo},
	"email-verified-number":   {"B8", in, atUserinfo},
	"email-verified-absent":   {"B8", in, atUserinfo},
	"userinfo-null":           {"B8", in, atUserinfo},
	"userinfo-bad-nhs-number": {"B8", in, atUserinfo},
	"userinfo-bad-birthdate":  {"B8", in, atUserinfo},
	"userinfo-markup":         {"B8", "claims-differ", atUserinfo},
	"userinfo-500":            {"B8", "userinfo-unavailable", atUserinfo},
	"userinfo-401":            {"B8", "userinfo-not-accepted", atUserinfo},
	"userinfo-html":           {"B8", "userinfo-unreadable", atUserinfo},
	"userinfo-jwt":            {"B8", "userinfo-unreadable", atUserinfo},
	"userinfo-10mb":           {"B8", "userinfo-unavailable", atUserinfo},
	"userinfo-bomb":           {"B8", "userinfo-unreadable", atUserinfo}, // it is never unpacked

	"vot-lower":          {"B9", "vot-not-asked", atToken},
	"vot-other-order":    {"B9", "vot-not-asked", atToken},
	"vot-absent":         {"B9", "vot-absent", atToken},
	"vot-unknown":        {"B9", "vot-not-asked", atToken},
	"vot-list":           {"B9", "vot-absent", atToken},
	"vot-above-proofing": {"B9", "vot-above-level", atUserinfo},
	"proofing-unknown":   {"B9", "level-unreadable", atUserinfo},
	"proofing-absent":    {"B9", "level-absent", atUserinfo},
	"act":                {"B9", "acting-for-another", atToken},
	"delegations":        {"B9", "acting-for-another", atToken},
	"act-in-id-token":    {"B9", "acting-for-another", atToken},
	"act-in-userinfo":    {"B9", "acting-for-another", atUserinfo},

	"token-redirect":    {"B12", "token-endpoint-unavailable", atToken},
	"userinfo-redirect": {"B12", "userinfo-unavailable", atUserinfo},
	"userinfo-picture":  {"B12", in, atUserinfo},

	"token-500":               {"token endpoint", "token-endpoint-unavailable", atToken},
	"token-html":              {"token endpoint", "token-answer-unreadable", atToken},
	"token-10mb":              {"token endpoint", "token-endpoint-unavailable", atToken},
	"token-invalid-grant":     {"token endpoint", "code-not-accepted", atToken},
	"token-invalid-client":    {"token endpoint", "client-not-accepted", atToken},
	"token-no-id-token":       {"token endpoint", "id-token-absent", atToken},
	"token-no-access-token":   {"token endpoint", "token-answer-unreadable", atToken},
	"token-no-expires_in":     {"token endpoint", in, atUserinfo},
	"token-expires_in-string": {"token endpoint", in, atUserinfo},
	"token-type-lowercase":    {"token endpoint", in, atUserinfo},
	"token-type-other":        {"token endpoint", "token-answer-unreadable", atToken},
}

// documents are lies in what the provider publishes: what they come to where an
// honest document is held, and where none is.
var documents = map[string]struct {
	row             string
	warm, unfetched lie
}{
	"unlisted-alg":             {"B2", lie{cause: "id-token-signature", ends: atToken}, lie{cause: "id-token-signature", ends: atToken}},
	"kid-absent-multiple-keys": {"B2", lie{cause: "id-token-signature", ends: atToken}, lie{cause: "id-token-signature", ends: atToken}}, // none is guessed
	"key-withdrawn":            {"B3", lie{cause: "id-token-signature", ends: atToken}, lie{cause: "id-token-signature", ends: atToken}}, // the key before it is still published
	"jwks-oct":                 {"B5", lie{cause: "id-token-signature", ends: atToken}, absent},
	"jwks-duplicate-kid":       {"B5", served, served}, // each key of that name is tried
	"jwks-500":                 {"B5", served, absent},
	"jwks-html":                {"B5", served, absent},
	"jwks-10mb":                {"B5", served, absent},
	"jwks-10000-keys":          {"B5", served, absent},
	"jwks-empty":               {"B5", served, absent},
	"jwks-wrong-use":           {"B5", served, absent},
	"jwks-redirect":            {"B12", served, absent},
	"discovery-redirect":       {"B12", served, absent},

	"issuer-mismatch":           {"discovery", absent, absent}, // speaks for someone else: nothing of it is believed any more
	"issuer-slash":              {"discovery", absent, absent},
	"discovery-500":             {"discovery", served, absent},
	"discovery-html":            {"discovery", served, absent},
	"discovery-10mb":            {"discovery", served, absent},
	"discovery-no-jwks":         {"discovery", served, absent},
	"discovery-alg-none":        {"discovery", served, served}, // algorithms are configured, not discovered
	"discovery-token-elsewhere": {"B12", served, absent},
	"discovery-jwks-file":       {"B12", served, absent},
}

var (
	served = lie{cause: in, ends: atUserinfo}
	absent = lie{cause: "provider-down", ends: cold}
)

// slow lies take ten seconds each, and have tests of their own.
var slow = []string{"token-slow", "token-drip", "userinfo-slow", "jwks-slow", "discovery-slow"}

func TestEveryLieIsClassified(t *testing.T) {
	named := slices.Concat(slices.Collect(maps.Keys(lies)), slices.Collect(maps.Keys(documents)),
		slices.Collect(maps.Keys(refusals)), slow)
	slices.Sort(named)
	var told []string
	for _, p := range newWorld(t).sim.Presets() {
		told = append(told, p.Name)
		if !slices.Contains(named, p.Name) {
			t.Errorf("%s (%s): wanted a row that says what it comes to, got none", p.Name, p.About)
		}
	}
	for i, name := range named {
		if !slices.Contains(told, name) {
			t.Errorf("%s: wanted a lie that the simulator tells, got none", name)
		}
		if i > 0 && named[i-1] == name {
			t.Errorf("%s: wanted one row, got two", name)
		}
	}
}

func TestB1_IDTokenClaims(t *testing.T)    { tellLies(t, "B1") }
func TestB2_IDTokenSignature(t *testing.T) { tellLies(t, "B2") }
func TestB3_KeyLies(t *testing.T)          { tellLies(t, "B3") }
func TestB5_KeySetDocuments(t *testing.T)  { tellLies(t, "B5") }
func TestB6_CallbackLies(t *testing.T)     { tellLies(t, "B6") }
func TestB7_IssuerParameter(t *testing.T)  { tellLies(t, "B7") }
func TestB8_UserinfoLies(t *testing.T)     { tellLies(t, "B8") }
func TestB9_StrengthLies(t *testing.T)     { tellLies(t, "B9") }
func TestB12_RedirectingLies(t *testing.T) { tellLies(t, "B12") }
func TestTokenEndpointLies(t *testing.T)   { tellLies(t, "token endpoint") }
func TestDiscoveryDocuments(t *testing.T)  { tellLies(t, "discovery") }

// tellLies tells every lie of a row.
func tellLies(t *testing.T, row string) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range slices.Sorted(maps.Keys(lies)) {
		if l := lies[name]; l.row == row {
			t.Run(name, func(t *testing.T) { w.tellInLogin(t, name, l) })
		}
	}
	for _, name := range slices.Sorted(maps.Keys(documents)) {
		if d := documents[name]; d.row == row {
			t.Run(name, func(t *testing.T) { w.tellHeld(t, name, d.warm) })
			t.Run(name+", nothing held", func(t *testing.T) { w.tellUnfetched(t, name, d.unfetched) })
		}
	}
	w.checkSilence(t)
}

// tellInLogin lies in one login, between honest ones.
func (w *world) tellInLogin(t *testing.T, name string, l lie) {
	from := w.toldBy(name)
	w.logsIn(t, from)
	w.clock.advance(2 * time.Minute) // as real lies come: an unknown key may be looked for again
	must(t, from.sim.SetNextFaults(from.preset(t, name)))
	w.comesTo(t, from, l)
	w.logsIn(t, from)
}

// tellHeld lies to everyone after the documents that are held have grown old.
func (w *world) tellHeld(t *testing.T, name string, l lie) {
	from := w.toldBy(name)
	w.logsIn(t, from)
	w.clock.advance(61 * time.Minute)
	w.whileLying(t, from, name, func() {
		w.tick()
		w.comesTo(t, from, l)
	})
	w.logsIn(t, from)
}

// tellUnfetched lies to a service that was just started.
func (w *world) tellUnfetched(t *testing.T, name string, l lie) {
	from := w.toldBy(name)
	w.start(w.Config)
	w.whileLying(t, from, name, func() { w.comesTo(t, from, l) })
	w.logsIn(t, from) // it comes back by itself
}

// whileLying lets fn see the provider lie, and then leaves it honest for a while.
func (w *world) whileLying(t *testing.T, from liar, name string, fn func()) {
	t.Helper()
	must(t, from.sim.SetFaults(from.preset(t, name)))
	fn()
	from.sim.ClearFaults()
	w.clock.advance(2 * time.Minute)
	w.tick()
}

// liar is a provider of the world.
type liar struct {
	id  string
	sim *simulator.Simulator
}

func (w *world) nhsLogin() liar   { return liar{"nhs-login", w.sim} }
func (w *world) otherLogin() liar { return liar{"second", w.second} }
func (w *world) liars() []liar    { return []liar{w.nhsLogin(), w.otherLogin()} }

// toldBy is the provider that tells a lie: only the second one names itself in its
// callbacks.
func (w *world) toldBy(name string) liar {
	if strings.HasPrefix(name, "iss-parameter") {
		return w.otherLogin()
	}
	return w.nhsLogin()
}

func (from liar) preset(t *testing.T, name string) simulator.Faults {
	t.Helper()
	f, known := from.sim.Preset(name)
	if !known {
		t.Fatalf("%s: wanted a lie that the simulator tells", name)
	}
	if name == "userinfo-bomb" { // more is slow to make on a busy machine, and no worse
		f.UserInfo.Pad = 4 << 20
	}
	return f
}

// comesTo logs the ordinary patient in and holds what came of it against l.
func (w *world) comesTo(t *testing.T, from liar, l lie) {
	t.Helper()
	for _, each := range w.liars() {
		each.sim.ResetCalls()
	}
	b := w.visitor(t)
	p := b.post("/login/"+from.id, nil)
	if l.ends != cold {
		p = b.get(b.answer(p.location(t), "mair-prawf").String())
	}
	if l.cause == in {
		b.mustBeIn(p)
	} else {
		b.mustBeRefused(p, from.id, l.cause)
	}
	from.mustHaveBeenAsked(t, l.ends)
}

// mustHaveBeenAsked counts what was asked of the provider, each at most once, and
// that nothing was fetched which only a lie led to.
func (from liar) mustHaveBeenAsked(t *testing.T, ends int) {
	t.Helper()
	for endpoint, asked := range map[string]bool{
		simulator.EndpointToken: ends >= atToken, simulator.EndpointUserInfo: ends >= atUserinfo, simulator.EndpointCollector: false,
	} {
		most := 0
		if asked {
			most = 1
		}
		if calls := from.sim.CallsTo(endpoint); calls != most {
			t.Errorf("calls to %s: wanted %d, got %d", endpoint, most, calls)
		}
	}
}

// logsIn logs the ordinary patient in, as good users can while others meet lies.
func (w *world) logsIn(t *testing.T, from liar) {
	t.Helper()
	b := w.visitor(t)
	b.mustBeIn(b.get(b.answer(b.toProvider(from.id, nil), "mair-prawf").String()))
}

// visitor is a browser whose faults are t's.
func (w *world) visitor(t testing.TB) *browser {
	b := w.browser()
	b.t = t
	return b
}

// mustBeIn fails the test unless the callback was answered with a session.
func (b *browser) mustBeIn(p page) {
	b.t.Helper()
	if p.StatusCode != http.StatusSeeOther || !b.loggedIn() {
		b.t.Fatalf("wanted a session, got %d: %s", p.StatusCode, heading(p))
	}
}

var (
	referenceText  = regexp.MustCompile(`DIL-[0-9A-Z]{4}-[0-9A-Z]{2}`)
	startAgainLink = regexp.MustCompile(`href="([^"]+)"[^>]*>Start again</a>`)
	titleText      = regexp.MustCompile(`(?s)<title>(.*?)</title>`)
)

// heading is the title of a page.
func heading(p page) string {
	found := titleText.FindStringSubmatch(p.body)
	if found == nil {
		return ""
	}
	return html.UnescapeString(found[1])
}

// startAgain is where the button of a refusal leads; nothing where there is none.
func startAgain(p page) string {
	found := startAgainLink.FindStringSubmatch(p.body)
	if found == nil {
		return ""
	}
	return html.UnescapeString(found[1])
}

// mustBeRefused fails the test unless p is a refusal with help and a way forward,
// the audit has its cause under the reference on it, and the browser has no
// session.
func (b *browser) mustBeRefused(p page, provider, cause string) {
	b.t.Helper()
	b.mustSayNo(p, provider, cause)
	if startAgain(p) == "" {
		b.t.Errorf("wanted Start again on the page, got %s", heading(p))
	}
	b.mustNotLogIn(p)
}

// mustSayNo looks at the refusal alone.
func (b *browser) mustSayNo(p page, provider, cause string) {
	b.t.Helper()
	if p.StatusCode < http.StatusBadRequest || heading(p) == "" {
		b.t.Fatalf("wanted a refusal for %s, got %d", cause, p.StatusCode)
	}
	for _, help := range []string{"111", "999"} {
		if !strings.Contains(p.body, help) {
			b.t.Errorf("wanted %s on the page %s", help, heading(p))
		}
	}
	e := b.w.eventOf(b.t, referenceText.FindString(p.body))
	if e.Cause != cause || e.Result != audit.Refused || e.Provider != provider {
		b.t.Errorf("audit: wanted %s of %s refused, got %s of %s %s (%s)", cause, provider, e.Cause, e.Provider, e.Result, e.Kind)
	}
}

// eventOf is the one event that a reference stands for.
func (w *world) eventOf(t testing.TB, reference string) audit.Event {
	t.Helper()
	found, err := w.DB.Audit().FindByReference(t.Context(), reference)
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("reference %q: wanted one event, got %d", reference, len(found))
	}
	return found[0]
}

// checkSilence looks in the log for a person's values, and for words from outside.
func (w *world) checkSilence(t *testing.T) {
	t.Helper()
	log := w.log.String()
	for _, never := range []string{"Prawf", "9990000", "@example.com", "7700900", "+4477", "script", "1984-03", "another-nonce", "another-client", "eyJ", "0800 000"} {
		if strings.Contains(log, never) {
			t.Errorf("log: wanted nothing from outside or of a person, got %q", never)
		}
	}
}

// withQuery is the address with parameters changed; an empty value takes one out.
func withQuery(to *url.URL, pairs ...string) string {
	q, out := to.Query(), *to
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	out.RawQuery = q.Encode()
	return out.String()
}
