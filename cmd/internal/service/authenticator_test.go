package service_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"testing"
)

// authenticator is a device with passkeys, as WebAuthn Level 3 describes one. It tells
// the truth, unless a lie changes what it says.
type authenticator struct {
	t     testing.TB
	keys  []*credential
	count bool // it keeps a signature counter
}

type credential struct {
	id, handle []byte
	private    *ecdsa.PrivateKey
	count      uint32
}

// said is what a device and its browser say, before it is signed.
type said struct {
	typ, challenge, origin string
	client                 map[string]any // more members of the client data
	rpID                   string
	flags                  byte
	alg                    int
	count                  uint32
	id, handle             []byte
	signer                 *ecdsa.PrivateKey
	cbor                   []byte // in the place of the attestation object
}

// keyLie changes one thing of what is said.
type keyLie func(*said)

// Flags of authenticator data (WebAuthn §6.1).
const (
	flagUP, flagUV, flagBE, flagBS, flagAT = 1, 4, 8, 16, 64
)

func newAuthenticator(t testing.TB) *authenticator { return &authenticator{t: t} }

// options are what the page asks with.
type options struct {
	Challenge        string `json:"challenge"`
	RPID             string `json:"rpId"`
	RP               struct{ ID string }
	User             struct{ ID string }
	AllowCredentials []struct{ ID string }
	PubKeyCredParams []struct{ Alg int }
}

func (a *authenticator) read(text string) options {
	a.t.Helper()
	var o options
	must(a.t, json.Unmarshal([]byte(text), &o))
	return o
}

// make makes a passkey as the options ask, and returns what the script posts.
func (a *authenticator) make(asked, origin string, lies ...keyLie) string {
	a.t.Helper()
	o := a.read(asked)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	handle, err := base64.RawURLEncoding.DecodeString(o.User.ID)
	must(a.t, err)
	s := said{typ: "webauthn.create", challenge: o.Challenge, origin: origin, rpID: o.RP.ID, flags: flagUP | flagUV | flagBE | flagBS | flagAT, alg: -7, id: randomBytes(16)}
	for _, l := range lies {
		l(&s)
	}
	object := append([]byte{0xa3, 0x63, 'f', 'm', 't', 0x64, 'n', 'o', 'n', 'e', 0x67, 'a', 't', 't', 'S', 't', 'm', 't', 0xa0, 0x68, 'a', 'u', 't', 'h', 'D', 'a', 't', 'a'},
		cborBytes(s.attested(private))...)
	if s.cbor != nil {
		object = s.cbor
	}
	a.keys = append(a.keys, &credential{id: s.id, handle: handle, private: private})
	return posted(map[string]any{
		"id": rawURL(s.id), "rawId": rawURL(s.id), "type": "public-key", "clientExtensionResults": map[string]any{},
		"response": map[string]any{"clientDataJSON": rawURL(s.clientData()), "attestationObject": rawURL(object), "transports": []string{"internal"}},
	})
}

// give answers with the newest passkey that the options allow, and returns what the
// script posts.
func (a *authenticator) give(asked, origin string, lies ...keyLie) string {
	a.t.Helper()
	o := a.read(asked)
	k := a.allowed(o)
	if a.count {
		k.count++
	}
	s := said{
		typ: "webauthn.get", challenge: o.Challenge, origin: origin, rpID: o.RPID, flags: flagUP | flagUV | flagBE | flagBS,
		count: k.count, id: k.id, handle: k.handle, signer: k.private,
	}
	for _, l := range lies {
		l(&s)
	}
	data, client := s.data(), s.clientData()
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(bytes.Clone(data), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, s.signer, digest[:])
	must(a.t, err)
	response := map[string]any{"clientDataJSON": rawURL(client), "authenticatorData": rawURL(data), "signature": rawURL(signature)}
	if s.handle != nil {
		response["userHandle"] = rawURL(s.handle)
	}
	return posted(map[string]any{
		"id": rawURL(s.id), "rawId": rawURL(s.id), "type": "public-key", "clientExtensionResults": map[string]any{}, "response": response,
	})
}

func (a *authenticator) allowed(o options) *credential {
	a.t.Helper()
	for i := len(a.keys) - 1; i >= 0; i-- {
		allowed := len(o.AllowCredentials) == 0
		for _, c := range o.AllowCredentials {
			allowed = allowed || c.ID == rawURL(a.keys[i].id)
		}
		if allowed {
			return a.keys[i]
		}
	}
	a.t.Fatal("the device has none of the passkeys that are asked for")
	return nil
}

func posted(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func (s said) clientData() []byte {
	members := map[string]any{"type": s.typ, "challenge": s.challenge, "origin": s.origin, "crossOrigin": false}
	for name, v := range s.client {
		members[name] = v
	}
	b, _ := json.Marshal(members)
	return b
}

func (s said) data() []byte {
	rp := sha256.Sum256([]byte(s.rpID))
	return binary.BigEndian.AppendUint32(append(rp[:], s.flags), s.count)
}

// attested is authenticator data with the public key in COSE (WebAuthn §6.5.1).
func (s said) attested(private *ecdsa.PrivateKey) []byte {
	data := append(s.data(), make([]byte, 16)...) // AAGUID
	data = binary.BigEndian.AppendUint16(data, uint16(len(s.id)))
	data = append(data, s.id...)
	data = append(data, 0xa5, 0x01, 0x02, 0x03)
	data = append(data, cborNegative(s.alg)...)
	data = append(data, 0x20, 0x01, 0x21)
	public, _ := private.PublicKey.Bytes()
	data = append(data, cborBytes(public[1:33])...)
	return append(append(data, 0x22), cborBytes(public[33:])...)
}

func cborBytes(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0x59}, uint16(len(b))), b...)
}

func cborNegative(n int) []byte {
	if n >= -24 {
		return []byte{0x20 | byte(-1-n)}
	}
	return binary.BigEndian.AppendUint16([]byte{0x39}, uint16(-1-n))
}

// passkeyAsk is what a page asks a device with.
var passkeyAsk = regexp.MustCompile(`data-passkey="(?:get|make|auto)" data-options="([^"]*)" data-action="([^"]*)" data-along="([^"]*)"`)

// asking returns the options of that page, and the form that the script posts beside the
// answer.
func (b *browser) asking(path string) (asked string, form url.Values) {
	b.t.Helper()
	return b.asked(b.get(path))
}

func (b *browser) asked(p page) (string, url.Values) {
	b.t.Helper()
	m := passkeyAsk.FindStringSubmatch(p.body)
	if m == nil {
		b.t.Fatalf("the page asks for no passkey: %d %.300s", p.StatusCode, p.body)
	}
	var along map[string]string
	must(b.t, json.Unmarshal([]byte(html.UnescapeString(m[3])), &along))
	form := url.Values{}
	for name, value := range along {
		form.Set(name, value)
	}
	return html.UnescapeString(m[1]), form
}

// makesPasskey makes one on the account's page.
func (b *browser) makesPasskey(a *authenticator, lies ...keyLie) page {
	b.t.Helper()
	asked, form := b.asking("/account/passkeys")
	form.Set("credential", a.make(asked, b.w.url, lies...))
	return b.post("/account/passkeys", form)
}

// givesPasskey logs in by one, from the chooser.
func (b *browser) givesPasskey(a *authenticator, lies ...keyLie) page {
	b.t.Helper()
	asked, form := b.asking("/login")
	form.Set("credential", a.give(asked, b.w.url, lies...))
	return b.post("/login/passkey", form)
}
