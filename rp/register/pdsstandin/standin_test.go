package pdsstandin

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/dilys-id/dilys/identity"
)

var start = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

var ours, others = sync.OnceValue(newKey), sync.OnceValue(newKey)

func newKey() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func patientOf(number, family, given, born, postcode string) identity.Entry {
	return identity.Entry{
		NHSNumber: must(identity.ParseNHSNumber(number)), FamilyName: must(identity.ParseName(family)), GivenName: must(identity.ParseName(given)),
		BirthDate: must(identity.ParseBirthDate(born)), Postcode: must(identity.ParsePostcode(postcode)),
		Mobile: must(identity.ParsePhone("07700900123")), Email: must(identity.ParseEmail("mair@example.com")), Practice: "W95010",
	}
}

var (
	mair  = patientOf("9000000009", "Prawf", "Mair Eleri", "1980-02-29", "CF10 1AA")
	carys = patientOf("9000000025", "Cudd", "Carys", "1980-02-29", "CF10 1AA")
	neb   = patientOf("9912003071", "Neb", "Neb", "1980-02-29", "CF10 1AA")
	old   = patientOf("9434765919", "Hen", "Mair", "1980-02-29", "CF10 1AA")
)

// rig is a stand-in and a client that knows HTTP alone.
type rig struct {
	*testing.T
	*Standin
	at time.Time
}

func newRig(t *testing.T, perSecond int) *rig {
	t.Helper()
	r := &rig{T: t, at: start}
	hidden, invalid := carys, neb
	hidden.Protected, invalid.Standing = true, identity.Invalidated
	r.Standin = must(New(Options{
		Now: func() time.Time { return r.at }, APIKey: "key", KeyID: "test-1", Key: &ours().PublicKey, PerSecond: perSecond,
		Patients: []identity.Entry{mair, hidden, invalid, old},
	}))
	r.SetURL("https://pds.example.org/")
	r.Supersede(old.NHSNumber, mair.NHSNumber)
	return r
}

// asked is one answer.
type asked struct {
	status int
	header http.Header
	doc    map[string]any
}

func (r *rig) do(q *http.Request) asked {
	r.Helper()
	w := httptest.NewRecorder()
	r.ServeHTTP(w, q)
	a := asked{status: w.Code, header: w.Header()}
	_ = json.Unmarshal(w.Body.Bytes(), &a.doc) // some answers are no JSON
	return a
}

// signed returns an assertion, as changed.
func signed(key *rsa.PrivateKey, alg jose.SignatureAlgorithm, kid string, change func(*jwt.Claims)) string {
	options := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		options.WithHeader("kid", kid)
	}
	c := jwt.Claims{
		Issuer: "key", Subject: "key", Audience: jwt.Audience{"https://pds.example.org/oauth2/token"}, ID: identity.NewID(),
		Expiry: jwt.NewNumericDate(start.Add(time.Minute)),
	}
	if change != nil {
		change(&c)
	}
	return must(jwt.Signed(must(jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options))).Claims(c).Serialize())
}

func (r *rig) grant(form url.Values) asked {
	r.Helper()
	q := httptest.NewRequest(http.MethodPost, r.TokenURL(), strings.NewReader(form.Encode()))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r.do(q)
}

func grantForm(assertion string) url.Values {
	return url.Values{
		"grant_type": {"client_credentials"}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
}

func (r *rig) token() string {
	r.Helper()
	a := r.grant(grantForm(signed(ours(), jose.RS512, "test-1", func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(r.at.Add(time.Minute)) })))
	t, _ := a.doc["access_token"].(string)
	if a.status != http.StatusOK || t == "" || a.doc["expires_in"] != "599" {
		r.Fatalf("token: got %+v", a)
	}
	return t
}

func (r *rig) get(path, token, id string) asked {
	r.Helper()
	q := httptest.NewRequest(http.MethodGet, r.URL()+path, nil)
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	if id != "" {
		q.Header.Set("X-Request-ID", id)
	}
	return r.do(q)
}

const requestID = "60e0b220-8136-4ca5-ae46-1d97ef59d068"

func (a asked) code() string {
	issues, _ := a.doc["issue"].([]any)
	if len(issues) == 0 {
		return ""
	}
	details := issues[0].(map[string]any)["details"].(map[string]any)
	return details["coding"].([]any)[0].(map[string]any)["code"].(string)
}

func TestAssertions(t *testing.T) {
	good := func(change func(*jwt.Claims)) string { return signed(ours(), jose.RS512, "test-1", change) }
	for name, row := range map[string]struct {
		form   url.Values
		status int
	}{
		"as it should be":          {grantForm(good(nil)), 200},
		"another algorithm":        {grantForm(signed(ours(), jose.RS256, "test-1", nil)), 401},
		"another kid":              {grantForm(signed(ours(), jose.RS512, "test-2", nil)), 401},
		"no kid":                   {grantForm(signed(ours(), jose.RS512, "", nil)), 401},
		"another key":              {grantForm(signed(others(), jose.RS512, "test-1", nil)), 401},
		"no JWT":                   {grantForm("a.b.c"), 401},
		"another issuer":           {grantForm(good(func(c *jwt.Claims) { c.Issuer = "x" })), 401},
		"another subject":          {grantForm(good(func(c *jwt.Claims) { c.Subject = "x" })), 401},
		"another audience":         {grantForm(good(func(c *jwt.Claims) { c.Audience = jwt.Audience{"https://pds.example.org"} })), 401},
		"two audiences":            {grantForm(good(func(c *jwt.Claims) { c.Audience = append(c.Audience, "https://example.org") })), 401},
		"expired":                  {grantForm(good(func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(start) })), 401},
		"no end":                   {grantForm(good(func(c *jwt.Claims) { c.Expiry = nil })), 401},
		"longer than five minutes": {grantForm(good(func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(start.Add(301 * time.Second)) })), 401},
		"no jti":                   {grantForm(good(func(c *jwt.Claims) { c.ID = "" })), 401},
		"another grant":            {url.Values{"grant_type": {"password"}}, 400},
		"another kind of naming":   {url.Values{"grant_type": {"client_credentials"}, "client_secret": {"x"}}, 400},
		"a body of a megabyte":     {url.Values{"grant_type": {strings.Repeat("x", 1<<20)}}, 400},
	} {
		if a := newRig(t, 0).grant(row.form); a.status != row.status || (a.doc["access_token"] != nil) != (row.status == 200) {
			t.Errorf("%s: wanted %d, got %d %v", name, row.status, a.status, a.doc)
		}
	}
	r := newRig(t, 0)
	once := grantForm(good(nil))
	if first, second := r.grant(once), r.grant(once); first.status != 200 || second.status != 401 {
		t.Errorf("an assertion used twice: got %d, then %d", first.status, second.status)
	}
	if a := r.do(httptest.NewRequest(http.MethodGet, r.TokenURL(), nil)); a.status != 400 {
		t.Errorf("GET: got %d", a.status)
	}
}

// TestOneAssertionManyCallers: of fifty that bring the same one, one is believed.
func TestOneAssertionManyCallers(t *testing.T) {
	r := newRig(t, 0)
	form := grantForm(signed(ours(), jose.RS512, "test-1", nil))
	var all sync.WaitGroup
	var mu sync.Mutex
	granted := 0
	for range 50 {
		all.Go(func() {
			if r.grant(form).status == http.StatusOK {
				mu.Lock()
				defer mu.Unlock()
				granted++
			}
		})
	}
	all.Wait()
	if granted != 1 {
		t.Errorf("wanted 1 access token, got %d", granted)
	}
}

func TestPatients(t *testing.T) {
	r := newRig(t, 0)
	token := r.token()
	for name, row := range map[string]struct {
		path, token, id string
		status          int
		code            string
	}{
		"a patient":             {"/Patient/9000000009", token, requestID, 200, ""},
		"unknown":               {"/Patient/9111231130", token, requestID, 404, "RESOURCE_NOT_FOUND"},
		"no NHS number":         {"/Patient/9000000000", token, requestID, 400, "INVALID_RESOURCE_ID"},
		"with gaps":             {"/Patient/900%20000%200009", token, requestID, 400, "INVALID_RESOURCE_ID"},
		"invalidated":           {"/Patient/9912003071", token, requestID, 404, "INVALIDATED_RESOURCE"},
		"no request id":         {"/Patient/9000000009", token, "", 400, "MISSING_VALUE"},
		"a request id, no UUID": {"/Patient/9000000009", token, "1234", 400, "INVALID_VALUE"},
		"no access token":       {"/Patient/9000000009", "", requestID, 401, "ACCESS_DENIED"},
		"a made-up one":         {"/Patient/9000000009", "made-up", requestID, 401, "ACCESS_DENIED"},
		"no path of PDS":        {"/Practitioner/1", token, requestID, 404, ""},
	} {
		a := r.get(row.path, row.token, row.id)
		if a.status != row.status || a.code() != row.code {
			t.Errorf("%s: wanted %d %s, got %d %s", name, row.status, row.code, a.status, a.code())
		}
		if row.code != "" && (a.doc["resourceType"] != "OperationOutcome" || a.header.Get("Content-Type") != "application/fhir+json") {
			t.Errorf("%s: wanted an OperationOutcome, got %v", name, a.doc)
		}
		if row.id != "" && row.path != "/Practitioner/1" && a.header.Get("X-Request-ID") != row.id {
			t.Errorf("%s: wanted the request id back", name)
		}
	}
	if a := r.get("/Patient/9434765919", token, requestID); a.doc["id"] != "9000000009" {
		t.Errorf("superseded: wanted the new record, got %v", a.doc["id"])
	}
	r.at = r.at.Add(tokenLife)
	if a := r.get("/Patient/9000000009", token, requestID); a.status != 401 {
		t.Errorf("an access token that is over: got %d", a.status)
	}
}

// TestWithheld is what a label keeps back.
func TestWithheld(t *testing.T) {
	const whereabouts = "address telecom generalPractitioner"
	for label, row := range map[string]struct{ has, lacks string }{
		"U": {"name " + whereabouts, ""},
		"R": {"name", whereabouts},
		"V": {"birthDate", "name " + whereabouts},
	} {
		r := newRig(t, 0)
		r.Mark(mair.NHSNumber, label)
		a := r.get("/Patient/9000000009", r.token(), requestID)
		for _, member := range strings.Fields(row.has) {
			if a.doc[member] == nil {
				t.Errorf("%s: wanted %s", label, member)
			}
		}
		for _, member := range strings.Fields(row.lacks) {
			if a.doc[member] != nil {
				t.Errorf("%s: wanted no %s", label, member)
			}
		}
	}
}

func TestSearches(t *testing.T) {
	const exact = "family=Prawf&birthdate=eq1980-02-29&_max-results=1"
	for name, row := range map[string]struct {
		query  string
		status int
		code   string
		found  int
	}{
		"one":                                {exact, 200, "", 1},
		"by the start of a given name":       {exact + "&given=Mai*", 200, "", 1},
		"in small letters":                   {"family=prawf&birthdate=eq1980-02-29&_max-results=1", 200, "", 1},
		"by the start of the postcode":       {exact + "&address-postalcode=cf*", 200, "", 1},
		"by another postcode":                {exact + "&address-postalcode=LS*", 200, "", 0},
		"a superseded one: the new record":   {"family=Hen&birthdate=eq1980-02-29&_max-results=1", 200, "", 1},
		"an invalidated one":                 {"family=Neb&birthdate=eq1980-02-29&_max-results=1", 200, "", 0},
		"a restricted one":                   {"family=Cudd&birthdate=eq1980-02-29&_max-results=1", 200, "", 1},
		"a restricted one, by postcode":      {"family=Cudd&birthdate=eq1980-02-29&_max-results=1&address-postalcode=CF10+1AA", 200, "", 0},
		"nothing":                            {"", 400, "UNSUPPORTED_SERVICE", 0},
		"more than one wanted":               {"family=Prawf&birthdate=eq1980-02-29", 403, "INVALID_VALUE", 0},
		"no birth date":                      {"family=Prawf&_max-results=1", 400, "MISSING_VALUE", 0},
		"no family name":                     {"birthdate=eq1980-02-29&_max-results=1", 400, "MISSING_VALUE", 0},
		"a wildcard behind one letter":       {"family=P*&birthdate=eq1980-02-29&_max-results=1", 400, "INVALID_SEARCH_DATA", 0},
		"a parameter that is none":           {exact + "&nhs-number=1", 400, "ADDITIONAL_PROPERTIES", 0},
		"a parameter twice":                  {exact + "&family=Hen", 400, "ADDITIONAL_PROPERTIES", 0},
		"the old name of the postcode":       {exact + "&address-postcode=CF*", 400, "INVALID_SEARCH_DATA", 0},
		"fuzzy, which this one does not do":  {exact + "&_fuzzy-match=true", 400, "INVALID_SEARCH_DATA", 0},
		"a range, which this one doesn't do": {"family=Prawf&birthdate=ge1980-02-29&_max-results=1", 400, "INVALID_VALUE", 0},
	} {
		r := newRig(t, 0)
		a := r.get("/Patient?"+row.query, r.token(), requestID)
		found, _ := a.doc["entry"].([]any)
		if a.status != row.status || a.code() != row.code || len(found) != row.found {
			t.Errorf("%s: wanted %d %s with %d, got %d %s with %d", name, row.status, row.code, row.found, a.status, a.code(), len(found))
		}
	}
	r := newRig(t, 0)
	r.Put(patientOf("9990000042", "Prawf", "Mabli", "1980-02-29", "CF14 4XW"))
	if a := r.get("/Patient?"+exact, r.token(), requestID); a.status != 200 || a.code() != "TOO_MANY_MATCHES" {
		t.Errorf("two: got %d %s", a.status, a.code())
	}
	former := mair
	former.FormerFamilyName = must(identity.ParseName("Gynt"))
	r = newRig(t, 0)
	r.Put(former)
	for query, want := range map[string]int{"family=Gynt": 0, "family=Gynt&_history=true": 1} {
		a := r.get("/Patient?birthdate=eq1980-02-29&_max-results=1&"+query, r.token(), requestID)
		if found, _ := a.doc["entry"].([]any); len(found) != want {
			t.Errorf("%s: wanted %d, got %d", query, want, len(found))
		}
	}
}

func TestRate(t *testing.T) {
	r := newRig(t, 5)
	token := r.token()
	for i := range 7 {
		a := r.get("/Patient/9000000009", token, requestID)
		if want := i >= 5; (a.status == 429) != want || want && (a.code() != "TOO_MANY_REQUESTS" || a.header.Get("Retry-After") != "1") {
			t.Errorf("request %d: got %d", i, a.status)
		}
	}
	r.at = r.at.Add(time.Second)
	if a := r.get("/Patient/9000000009", token, requestID); a.status != 200 {
		t.Errorf("a second later: got %d", a.status)
	}
	r.SetPerSecond(0)
	for range 20 {
		if a := r.get("/Patient/9000000009", token, requestID); a.status != 200 {
			t.Errorf("with no limit: got %d", a.status)
		}
	}
}

func TestFaults(t *testing.T) {
	r := newRig(t, 0)
	token := r.token()
	statuses := func(n int) (all []int) {
		for range n {
			all = append(all, r.get("/Patient/9000000009", token, requestID).status)
		}
		return all
	}
	r.SetFaults(Fault{Endpoint: Patient, Times: 2, Status: 500}, Fault{Endpoint: Search, Status: 503})
	if got := statuses(3); got[0] != 500 || got[1] != 500 || got[2] != 200 {
		t.Errorf("twice: got %v", got)
	}
	for _, name := range Presets() {
		f, known := Preset(name)
		if !known {
			t.Fatalf("%s: is not known", name)
		}
		if name == "slow" {
			f.Delay = time.Millisecond
		}
		r.SetFaults(f)
		w := httptest.NewRecorder()
		q := httptest.NewRequest(http.MethodGet, r.URL()+"/Patient/9000000009", nil)
		q.Header.Set("Authorization", "Bearer "+token)
		q.Header.Set("X-Request-ID", requestID)
		r.ServeHTTP(w, q)
		body := string(must(io.ReadAll(w.Body)))
		if well := w.Code == 200 && json.Valid([]byte(body)); well != (name == "slow") {
			t.Errorf("%s: got %d %.60s", name, w.Code, body)
		}
	}
	if _, known := Preset("no such"); known {
		t.Error("a preset that does not exist")
	}
	r.SetFaults(Fault{Location: "https://collector.example.org"})
	if got := statuses(1); got[0] != http.StatusTemporaryRedirect {
		t.Errorf("redirect: got %v", got)
	}
	r.SetFaults()
	calls := r.Calls()
	if last := calls[len(calls)-1]; last.Endpoint != Patient || last.RequestID != requestID || last.Status != http.StatusTemporaryRedirect {
		t.Errorf("the last call: got %+v", last)
	}
}

func TestCallsAreBounded(t *testing.T) {
	r := newRig(t, 0)
	for range maxCalls + 5 {
		r.get("/Patient/9000000009", "", requestID)
	}
	r.get("/Patient/9000000009", r.token(), requestID)
	if calls := r.Calls(); len(calls) != maxCalls || calls[0].Status != 401 || calls[maxCalls-1].Status != 200 {
		t.Errorf("got %d calls, the last %+v", len(calls), calls[len(calls)-1])
	}
}

func TestNew(t *testing.T) {
	good := Options{Now: time.Now, APIKey: "a", KeyID: "b", Key: &ours().PublicKey}
	for name, change := range map[string]func(*Options){
		"no clock":                   func(o *Options) { o.Now = nil },
		"no api key":                 func(o *Options) { o.APIKey = "" },
		"no kid":                     func(o *Options) { o.KeyID = "" },
		"no key":                     func(o *Options) { o.Key = nil },
		"a patient without a number": func(o *Options) { o.Patients = []identity.Entry{{}} },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: was accepted", name)
		}
	}
}
