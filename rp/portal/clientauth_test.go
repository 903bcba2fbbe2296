package portal

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/dilys-id/dilys/identity"
)

// asserts is how the portal that has a key proves itself, with claims changed: nil takes
// one out.
func (w *world) asserts(change map[string]any, with ...func(*jose.SigningKey, *jose.SignerOptions)) map[string]string {
	w.t.Helper()
	key := jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: clientKey, KeyID: "one"}}
	options := &jose.SignerOptions{}
	for _, w := range with {
		w(&key, options)
	}
	signer, err := jose.NewSigner(key, options)
	if err != nil {
		w.t.Fatal(err)
	}
	now := w.now()
	claims := map[string]any{
		"iss": letters, "sub": letters, "aud": issuer, "jti": identity.NewID(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		w.t.Fatal(err)
	}
	return map[string]string{"client_assertion": raw, "client_assertion_type": assertionType}
}

// lettersCode is a form of that portal for a code of its own.
func (w *world) lettersForm() map[string]string {
	_, s := w.login("mair", "P9.Cp.Cd")
	d := w.authorize(asks(map[string]string{"client_id": letters, "redirect_uri": letterCB, "scope": "openid offline_access"}), s)
	return map[string]string{"code": said(w.t, d).Get("code"), "redirect_uri": letterCB}
}

func publicBytes() []byte {
	key, err := clientKey.PublicKey.ECDH()
	if err != nil {
		panic(err)
	}
	return key.Bytes()
}

func TestC6ClientAssertions(t *testing.T) {
	at := func(d time.Duration) int64 { return time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC).Add(d).Unix() }
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		change map[string]any
		with   func(*jose.SigningKey, *jose.SignerOptions)
		form   map[string]string
		want   int
	}{
		"good":                           {want: 200},
		"for the token endpoint":         {change: map[string]any{"aud": issuer + "/token"}, want: 200},
		"nbf 8 s ahead":                  {change: map[string]any{"nbf": at(8 * time.Second)}, want: 200},
		"without iat":                    {change: map[string]any{"iat": nil}, want: 200},
		"five minutes":                   {change: map[string]any{"exp": at(5 * time.Minute)}, want: 200},
		"named in the form too":          {form: map[string]string{"client_id": letters}, want: 200},
		"nbf 2 minutes ahead":            {change: map[string]any{"nbf": at(2 * time.Minute)}, want: 401},
		"iat 2 minutes ahead":            {change: map[string]any{"iat": at(2 * time.Minute)}, want: 401},
		"exp a year ahead":               {change: map[string]any{"exp": at(365 * 24 * time.Hour)}, want: 401},
		"exp in the past":                {change: map[string]any{"exp": at(-5 * time.Minute)}, want: 401},
		"no exp":                         {change: map[string]any{"exp": nil}, want: 401},
		"no jti":                         {change: map[string]any{"jti": nil}, want: 401},
		"no sub":                         {change: map[string]any{"sub": nil}, want: 401},
		"iss of another":                 {change: map[string]any{"iss": health}, want: 401},
		"another portal's name, our key": {change: map[string]any{"iss": health, "sub": health}, want: 401},
		"aud a list":                     {change: map[string]any{"aud": []string{issuer, "https://evil.example.org"}}, want: 401},
		"aud of another issuer":          {change: map[string]any{"aud": "https://evil.example.org/token"}, want: 401},
		"no aud":                         {change: map[string]any{"aud": nil}, want: 401},
		"another's key":                  {with: func(k *jose.SigningKey, _ *jose.SignerOptions) { k.Key = jose.JSONWebKey{Key: other, KeyID: "one"} }, want: 401},
		"HS256 with the public key": {with: func(k *jose.SigningKey, _ *jose.SignerOptions) {
			k.Algorithm, k.Key = jose.HS256, publicBytes()
		}, want: 401},
		"a key in the header":                 {with: func(_ *jose.SigningKey, o *jose.SignerOptions) { o.EmbedJWK = true }, want: 401},
		"the type of an access token":         {with: func(_ *jose.SigningKey, o *jose.SignerOptions) { o.WithType("at+jwt") }, want: 401},
		"named as another portal in the form": {form: map[string]string{"client_id": health}, want: 401},
		"of another assertion type":           {form: map[string]string{"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, want: 401},
		"beside a secret":                     {form: map[string]string{"client_id": letters, "client_secret": "x"}, want: 400},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.patient("mair", "1980-02-29")
			form := w.lettersForm()
			with := row.with
			if with == nil {
				with = func(*jose.SigningKey, *jose.SignerOptions) {}
			}
			maps.Copy(form, w.asserts(row.change, with))
			maps.Copy(form, row.form)
			r, err := post(w.Token, tokenForm(form["code"], form).Encode(), none)
			if err != nil || r.Code != row.want {
				t.Errorf("wanted %d, got %d %s, %v", row.want, r.Code, r.Body, err)
			}
		})
	}
}

func TestC6AnAssertionServesOnce(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	proof := w.asserts(nil)
	for _, want := range []int{http.StatusOK, http.StatusUnauthorized} {
		form := w.lettersForm()
		maps.Copy(form, proof)
		if r, err := post(w.Token, tokenForm(form["code"], form).Encode(), none); err != nil || r.Code != want {
			t.Errorf("wanted %d, got %d %s, %v", want, r.Code, r.Body, err)
		}
	}
	w.mem.down.Store(true)
	if r, err := post(w.Token, tokenForm("x", w.asserts(nil)).Encode(), none); err == nil || r.Code != http.StatusServiceUnavailable {
		t.Errorf("without a store: wanted 503, got %d", r.Code)
	}
}

func TestPairwiseSubjects(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"mair", "sion"} {
		w.patient(id, "1980-02-29")
	}
	_, mair := w.login("mair", "P9.Cp.Cd")
	_, again := w.login("mair", "P9.Cm")
	_, sion := w.login("sion", "P9.Cp.Cd")
	public, pairwise, other := w.portal(health), w.portal(letters), w.portal(api)
	own := w.subject(pairwise, *mair)
	switch {
	case w.subject(public, *mair) != "mair":
		t.Error("a public subject is the account's")
	case own != w.subject(pairwise, *again):
		t.Error("a pairwise subject changed with the session")
	case own == w.subject(public, *mair), own == w.subject(other, *mair), own == w.subject(pairwise, *sion):
		t.Error("a pairwise subject is another's too")
	case len(own) < 20:
		t.Errorf("a pairwise subject can be guessed: %q", own)
	}
	merged := *mair
	merged.Account, merged.Subjects = "of-both", map[string]string{letters: "mair"}
	if w.subject(pairwise, merged) != own {
		t.Error("a merge of accounts changed the subject that the portal knows")
	}
	form := w.lettersForm()
	maps.Copy(form, w.asserts(nil))
	r, err := post(w.Token, tokenForm(form["code"], form).Encode(), none)
	if err != nil || r.Code != http.StatusOK {
		t.Fatalf("got %d %s, %v", r.Code, r.Body, err)
	}
	answer := body(t, r)
	if got := payload(t, answer["id_token"].(string))["sub"]; got != own {
		t.Errorf("ID token: wanted %q, got %v", own, got)
	}
	if got := body(t, w.askUserinfo(answer["access_token"].(string)))["sub"]; got != own {
		t.Errorf("userinfo: wanted %q, got %v", own, got)
	}
}
