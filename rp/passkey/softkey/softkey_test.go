package softkey_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/dilys-id/dilys/rp/passkey/softkey"
)

const (
	make1  = `{"challenge":"b25l","rp":{"id":"localhost"},"user":{"id":"aGFuZGxl"}}`
	origin = "http://localhost:8080"
)

type credential struct {
	ID       string `json:"id"`
	Response struct{ ClientDataJSON, AttestationObject, AuthenticatorData, Signature, UserHandle string }
}

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func read(t *testing.T, text string) (c credential) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func bytesOf(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	return must(t, b, err)
}

// The key that was attested is the one that signs authenticator data and client data
// (WebAuthn §7.2 step 21), for the relying party that asked.
func TestWhatIsMadeSigns(t *testing.T) {
	var a softkey.Authenticator
	text, err := a.Make(make1, origin)
	made := read(t, must(t, text, err))
	text, err = a.Give(`{"challenge":"dHdv","rpId":"localhost"}`, origin)
	given := read(t, must(t, text, err))
	if made.ID != given.ID || string(bytesOf(t, given.Response.UserHandle)) != "handle" {
		t.Errorf("wanted the passkey that was made, got %q with handle %q", given.ID, given.Response.UserHandle)
	}
	object := bytesOf(t, made.Response.AttestationObject)
	x, y := object[len(object)-32-36:len(object)-36], object[len(object)-32:]
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
	if err != nil {
		t.Fatal(err)
	}
	data, client := bytesOf(t, given.Response.AuthenticatorData), bytesOf(t, given.Response.ClientDataJSON)
	rp, hash := sha256.Sum256([]byte("localhost")), sha256.Sum256(client)
	digest := sha256.Sum256(append(bytes.Clone(data), hash[:]...))
	if !bytes.HasPrefix(data, rp[:]) || !ecdsa.VerifyASN1(public, digest[:], bytesOf(t, given.Response.Signature)) {
		t.Error("wanted a signature for localhost by the key that was made")
	}
	var said struct{ Type, Challenge, Origin string }
	if err := json.Unmarshal(client, &said); err != nil || said.Type != "webauthn.get" || said.Challenge != "dHdv" || said.Origin != origin {
		t.Errorf("client data: got %+v, %v", said, err)
	}
}

func TestOnlyWhatIsAllowedAnswers(t *testing.T) {
	a := softkey.Authenticator{Counts: true}
	for range 2 {
		text, err := a.Make(make1, origin)
		must(t, text, err)
	}
	first := base64.RawURLEncoding.EncodeToString(a.Keys[0].ID)
	text, err := a.Give(`{"challenge":"dHdv","rpId":"localhost","allowCredentials":[{"id":"`+first+`"}]}`, origin)
	if got := read(t, must(t, text, err)); got.ID != first || a.Keys[0].Count != 1 || a.Keys[1].Count != 0 {
		t.Errorf("wanted the first passkey, counted, got %q", got.ID)
	}
	if _, err := a.Give(`{"challenge":"dHdv","allowCredentials":[{"id":"AAAA"}]}`, origin); err == nil {
		t.Error("wanted no answer by another passkey")
	}
	if _, err := a.Make("nothing", origin); err == nil {
		t.Error("wanted options")
	}
}
