package simulator

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// Faults is what the provider does wrong. The zero value is an honest provider.
// A Faults is not changed after it was set.
type Faults struct {
	IDToken     *TokenFault       `json:"id_token,omitempty"`
	AccessToken *TokenFault       `json:"access_token,omitempty"`
	JWKS        *KeySetFault      `json:"jwks,omitempty"`
	Discovery   *DocumentFault    `json:"discovery,omitempty"`
	Token       *DocumentFault    `json:"token,omitempty"` // the token endpoint's JSON answer
	UserInfo    *DocumentFault    `json:"userinfo,omitempty"`
	Authz       *AuthzFault       `json:"authz,omitempty"`
	Redirect    map[string]string `json:"redirect,omitempty"` // endpoint → URL that it redirects to instead of answering
	Rotate      string            `json:"rotate,omitempty"`   // RotateAtAuthorize or RotateAtSigning: a new signing key at that moment
}

// When Faults.Rotate makes a new key.
const (
	RotateAtAuthorize = "authorize" // as the browser is sent back
	RotateAtSigning   = "signing"   // just before the ID token is signed
)

// TokenFault changes a JWT before or as it is signed. Raw stands in place of all.
type TokenFault struct {
	Set        map[string]any      `json:"set,omitempty"`         // claims as written here
	At         map[string]Duration `json:"at,omitempty"`          // claims that are instants, from now
	Drop       []string            `json:"drop,omitempty"`        // claims left out
	Repeat     map[string]any      `json:"repeat,omitempty"`      // members a second time, at the end
	Header     map[string]any      `json:"header,omitempty"`      // header members as written here
	DropHeader []string            `json:"drop_header,omitempty"` // header members left out
	SignWith   string              `json:"sign_with,omitempty"`   // one of the Sign names, or another algorithm's
	Raw        string              `json:"raw,omitempty"`
}

// How a token is signed when it is not signed right.
const (
	SignNone       = "none"        // alg none, no signature (RFC 8725 §3.1)
	SignEmpty      = "empty"       // the right alg, no signature
	SignFlipped    = "flipped"     // one bit of the signature changed
	SignHMACPublic = "hmac-public" // HS256 with the public key's PEM as secret
	SignOct        = "oct"         // HS256 with the secret that KeySetFault.Oct publishes
	SignForeign    = "foreign"     // another key, under the right kid
	SignEmbedded   = "embedded"    // another key, given in the header's jwk
)

// signWays names everything that SignWith may be.
func signWays() []string {
	ways := []string{SignNone, SignEmpty, SignFlipped, SignHMACPublic, SignOct, SignForeign, SignEmbedded}
	return append(ways, slices.Sorted(maps.Keys(hashes))...)
}

// claims returns the claims with the fault's changes.
func (f *TokenFault) claims(honest map[string]any, now time.Time) map[string]any {
	out := maps.Clone(honest)
	maps.Copy(out, f.Set)
	for name, d := range f.At {
		out[name] = now.Add(time.Duration(d)).Unix()
	}
	for _, name := range f.Drop {
		delete(out, name)
	}
	return out
}

// Reply changes how an answer goes over the wire.
type Reply struct {
	Status      int      `json:"status,omitempty"`
	ContentType string   `json:"content_type,omitempty"`
	Body        string   `json:"body,omitempty"`  // in place of the answer
	Pad         int      `json:"pad,omitempty"`   // bytes of white space before it: valid JSON, too long
	Gzip        bool     `json:"gzip,omitempty"`  // compressed: with Pad, a bomb
	Delay       Duration `json:"delay,omitempty"` // before the first byte
	Drip        Duration `json:"drip,omitempty"`  // between single bytes
}

// DocumentFault changes a JSON object that an endpoint answers.
type DocumentFault struct {
	Set  map[string]any `json:"set,omitempty"`
	Drop []string       `json:"drop,omitempty"`
	Reply
}

// KeySetFault changes the key set.
type KeySetFault struct {
	Keys      json.RawMessage `json:"keys,omitempty"`          // in place of all keys
	Decoys    int             `json:"decoys,omitempty"`        // other keys before the right ones
	SameKID   bool            `json:"duplicate_kid,omitempty"` // a decoy before it bears the current key's kid
	Oct       bool            `json:"oct,omitempty"`           // a symmetric key, published, in place of the current one
	Use       string          `json:"use,omitempty"`           // `use` of every key
	Also      string          `json:"also,omitempty"`          // one more key, of this algorithm
	Withdrawn bool            `json:"withdrawn,omitempty"`     // without the current key
	Reply
}

// AuthzFault changes what the browser brings back.
type AuthzFault struct {
	Error            string `json:"error,omitempty"` // no code, this error
	ErrorDescription string `json:"error_description,omitempty"`
	SetIss           string `json:"set_iss,omitempty"` // RFC 9207 iss
	DropIss          bool   `json:"drop_iss,omitempty"`
	State            string `json:"state,omitempty"` // in place of the client's
	DropState        bool   `json:"drop_state,omitempty"`
	Code             string `json:"code,omitempty"` // in place of the real one
	DropCode         bool   `json:"drop_code,omitempty"`
}

// Duration is a time.Duration that JSON writes as text, such as "-1h".
type Duration time.Duration

// MarshalText writes the duration as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// Honest reports whether nothing is wrong.
func (f Faults) Honest() bool { return reflect.ValueOf(f).IsZero() }

// check reports the first part of the faults that this provider cannot tell.
func (f Faults) check() error {
	for _, t := range []*TokenFault{f.IDToken, f.AccessToken} {
		if t != nil && t.SignWith != "" && !slices.Contains(signWays(), t.SignWith) {
			return fmt.Errorf("sign_with: wanted one of %v, got %.40q", signWays(), t.SignWith)
		}
	}
	if f.Rotate != "" && f.Rotate != RotateAtAuthorize && f.Rotate != RotateAtSigning {
		return fmt.Errorf("rotate: wanted %s or %s, got %.40q", RotateAtAuthorize, RotateAtSigning, f.Rotate)
	}
	for endpoint := range f.Redirect {
		if !slices.Contains(endpoints, endpoint) {
			return fmt.Errorf("redirect: wanted an endpoint of %v, got %.40q", endpoints, endpoint)
		}
	}
	for _, r := range f.replies() {
		if r.Status != 0 && (r.Status < 200 || r.Status > 599) {
			return fmt.Errorf("status: wanted 200 to 599, got %d", r.Status)
		}
		if r.Pad < 0 || r.Pad > maxPad {
			return fmt.Errorf("pad: wanted 0 to %d bytes, got %d", maxPad, r.Pad)
		}
	}
	if f.JWKS != nil && (f.JWKS.Decoys < 0 || f.JWKS.Decoys > maxDecoys) {
		return fmt.Errorf("decoys: wanted 0 to %d, got %d", maxDecoys, f.JWKS.Decoys)
	}
	return nil
}

const (
	maxPad    = 256 << 20
	maxDecoys = 100_000
)

func (f Faults) replies() []Reply {
	var out []Reply
	for _, d := range []*DocumentFault{f.Discovery, f.Token, f.UserInfo} {
		if d != nil {
			out = append(out, d.Reply)
		}
	}
	if f.JWKS != nil {
		out = append(out, f.JWKS.Reply)
	}
	return out
}

// wide returns the part that endpoints tell without knowing whose login it is.
func (f Faults) wide() Faults {
	return Faults{JWKS: f.JWKS, Discovery: f.Discovery, Redirect: f.Redirect}
}

// lies holds who is lied to. The narrowest that is not honest wins: a login's own,
// then the client's, then the standing one.
type lies struct {
	standing Faults
	clients  map[string]Faults
	next     Faults // for the next login alone
	wide     Faults // of the login begun last, for endpoints that know no login
}

// SetFaults makes the provider lie to everyone until it is set again. It returns
// what it cannot tell.
func (s *Simulator) SetFaults(f Faults) error {
	return s.setLies(f, func(l *lies) { l.standing, l.wide = f, Faults{} })
}

// SetClientFaults makes the provider lie to one client; honest faults end that.
func (s *Simulator) SetClientFaults(clientID string, f Faults) error {
	return s.setLies(f, func(l *lies) {
		l.clients = maps.Clone(l.clients)
		if l.clients == nil {
			l.clients = map[string]Faults{}
		}
		if l.clients[clientID] = f; f.Honest() {
			delete(l.clients, clientID)
		}
	})
}

// SetNextFaults makes the provider lie in the next login that is begun, to its
// end. Discovery and the key set lie from then until another login is begun.
func (s *Simulator) SetNextFaults(f Faults) error {
	return s.setLies(f, func(l *lies) { l.next = f })
}

// ClearFaults makes the provider honest to everyone.
func (s *Simulator) ClearFaults() {
	_ = s.setLies(Faults{}, func(l *lies) { *l = lies{} })
}

func (s *Simulator) setLies(f Faults, set func(*lies)) error {
	if err := f.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	set(&s.lies)
	return nil
}

// beginLies takes the faults of a login that begins.
func (s *Simulator) beginLies() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.lies.next
	s.lies.next, s.lies.wide = Faults{}, f.wide()
	return f
}

// chooseLie gives a login the lie that was picked on its page.
func (s *Simulator) chooseLie(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lies.wide = f.wide()
}

// faultsFor returns the faults for a login of a client.
func (s *Simulator) faultsFor(clientID string, own Faults) Faults {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !own.Honest() {
		return own
	}
	if f, ok := s.lies.clients[clientID]; ok {
		return f
	}
	return s.lies.standing
}

// wideFaults returns the faults for discovery and the key set.
func (s *Simulator) wideFaults() Faults {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.lies.wide.Honest() {
		return s.lies.wide
	}
	return s.lies.standing
}

// redirected answers with the redirect that the faults ask of an endpoint.
func redirected(w http.ResponseWriter, f Faults, endpoint string) bool {
	to, ok := f.Redirect[endpoint]
	if ok {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}
	return ok
}

// document applies the fault to an object.
func (f *DocumentFault) document(honest map[string]any) (map[string]any, Reply) {
	if f == nil {
		return honest, Reply{}
	}
	out := maps.Clone(honest)
	maps.Copy(out, f.Set)
	for _, name := range f.Drop {
		delete(out, name)
	}
	return out, f.Reply
}

// answer writes doc as JSON with no-store, as the reply's faults say.
func answer(w http.ResponseWriter, r *http.Request, status int, doc any, f Reply) {
	body, err := json.Marshal(doc)
	if err != nil {
		http.Error(w, "answer could not be written", http.StatusInternalServerError)
		return
	}
	if f.Body != "" {
		body = []byte(f.Body)
	}
	// Before the value, as a reader that stops at a limit must not find it whole.
	body = append(bytes.Repeat([]byte(" "), f.Pad), body...)
	h := w.Header()
	h.Set("Content-Type", orElse(f.ContentType, "application/json"))
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
		h.Set("Pragma", "no-cache")
	}
	if f.Gzip {
		h.Set("Content-Encoding", "gzip")
		body = squeezed(body)
	}
	if f.Drip == 0 {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	if wait(r.Context(), f.Delay) != nil {
		return
	}
	if f.Status != 0 {
		status = f.Status
	}
	w.WriteHeader(status)
	write(r.Context(), w, body, f.Drip)
}

func orElse(v, other string) string {
	if v == "" {
		return other
	}
	return v
}

func squeezed(body []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(body) // a bytes.Buffer takes everything
	_ = z.Close()
	return out.Bytes()
}

// write sends the body, all at once or byte by byte until the peer has had enough.
func write(ctx context.Context, w http.ResponseWriter, body []byte, drip Duration) {
	if drip <= 0 {
		_, _ = w.Write(body)
		return
	}
	out := http.NewResponseController(w)
	for i := range body {
		if _, err := w.Write(body[i : i+1]); err != nil || out.Flush() != nil || wait(ctx, drip) != nil {
			return
		}
	}
}

// wait lets d pass, or returns the context's error.
func wait(ctx context.Context, d Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(time.Duration(d))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// faultRequest is the body of POST /faults: faults, or a preset's name, for
// everyone, one client, or the next login. An empty object makes the provider
// honest.
type faultRequest struct {
	Faults
	Preset string `json:"preset,omitempty"`
	Client string `json:"client,omitempty"`
	Next   bool   `json:"next,omitempty"`
}

// setFaultsHTTP is POST /faults. It takes JSON alone, which a foreign page cannot
// send without asking first.
func (s *Simulator) setFaultsHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Type") != "application/json" {
		http.Error(w, "faults: wanted application/json", http.StatusUnsupportedMediaType)
		return
	}
	req, err := readFaults(http.MaxBytesReader(w, r.Body, maxForm))
	if err == nil {
		err = s.applyFaults(req)
	}
	if err != nil {
		http.Error(w, "faults: "+err.Error(), http.StatusBadRequest)
		return
	}
	s.getFaultsHTTP(w, r)
}

// readFaults reads one strict object.
func readFaults(body io.Reader) (faultRequest, error) {
	var req faultRequest
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(&req); err != nil {
		return faultRequest{}, err
	}
	if d.More() {
		return faultRequest{}, fmt.Errorf("wanted one object, got more")
	}
	return req, nil
}

func (s *Simulator) applyFaults(req faultRequest) error {
	f := req.Faults
	if req.Preset != "" {
		p, ok := s.preset(req.Preset)
		if !ok || !f.Honest() {
			return fmt.Errorf("preset: wanted the name of one and nothing beside it, got %.40q", req.Preset)
		}
		f = p
	}
	switch {
	case req.Next && req.Client != "":
		return fmt.Errorf("next, client: wanted one of them")
	case req.Next:
		return s.SetNextFaults(f)
	case req.Client != "":
		return s.SetClientFaults(req.Client, f)
	case f.Honest():
		s.ClearFaults()
		return nil
	}
	return s.SetFaults(f)
}

// getFaultsHTTP is GET /faults.
func (s *Simulator) getFaultsHTTP(w http.ResponseWriter, r *http.Request) {
	type line struct {
		Name  string `json:"name"`
		About string `json:"about"`
	}
	var presets []line
	for _, p := range s.Presets() {
		presets = append(presets, line{p.Name, p.About})
	}
	s.mu.RLock()
	l := s.lies
	s.mu.RUnlock()
	answer(w, r, http.StatusOK, map[string]any{
		"standing": l.standing, "next": l.next, "clients": l.clients, "presets": presets,
	}, Reply{})
}
