package softkey

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// Authenticator is a device with passkeys. The zero value has none.
type Authenticator struct {
	Keys   []*Credential // the newest last
	Counts bool          // it keeps a signature counter (WebAuthn §6.1.1)
}

// Credential is one passkey of a device.
type Credential struct {
	ID, Handle []byte
	Private    *ecdsa.PrivateKey // P-256
	Count      uint32
}

// Said is what a device and its browser say, before it is signed.
type Said struct {
	Type, Challenge, Origin string
	Client                  map[string]any // more members of the client data
	RPID                    string
	Flags                   byte
	Alg                     int // COSE
	Count                   uint32
	ID, Handle              []byte
	Signer                  *ecdsa.PrivateKey
	CBOR                    []byte // in the place of the attestation object; nil: the true one
}

// Lie changes one thing of what is said.
type Lie func(*Said)

// Flags of authenticator data (WebAuthn §6.1).
const (
	FlagUP, FlagUV, FlagBE, FlagBS = 1, 4, 8, 16
	flagAT                         = 64
)

const es256 = -7 // COSE

// options are what a page asks with, for either ceremony.
type options struct {
	Challenge        string                `json:"challenge"`
	RPID             string                `json:"rpId"`
	RP               struct{ ID string }   `json:"rp"`
	User             struct{ ID string }   `json:"user"`
	AllowCredentials []struct{ ID string } `json:"allowCredentials"`
}

func read(asked string) (o options, err error) {
	if err := json.Unmarshal([]byte(asked), &o); err != nil {
		return o, fmt.Errorf("options: %w", err)
	}
	return o, nil
}

// Make makes a passkey as the options ask (PublicKeyCredentialCreationOptionsJSON), and
// returns the credential as a browser's toJSON has it.
func (a *Authenticator) Make(asked, origin string, lies ...Lie) (string, error) {
	o, err := read(asked)
	if err != nil {
		return "", err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	handle, err := base64.RawURLEncoding.DecodeString(o.User.ID)
	if err != nil {
		return "", fmt.Errorf("user.id: %w", err)
	}
	s := Said{
		Type: "webauthn.create", Challenge: o.Challenge, Origin: origin, RPID: o.RP.ID,
		Flags: FlagUP | FlagUV | FlagBE | FlagBS | flagAT, Alg: es256, ID: randomID(),
	}
	for _, l := range lies {
		l(&s)
	}
	object := s.CBOR
	if object == nil {
		object = s.attestation(private)
	}
	a.Keys = append(a.Keys, &Credential{ID: s.ID, Handle: handle, Private: private})
	return posted(s.ID, map[string]any{
		"clientDataJSON": raw(s.clientData()), "attestationObject": raw(object), "transports": []string{"internal"},
	}), nil
}

// Give answers with the newest passkey that the options allow
// (PublicKeyCredentialRequestOptionsJSON), and returns the credential as a browser's
// toJSON has it.
func (a *Authenticator) Give(asked, origin string, lies ...Lie) (string, error) {
	o, err := read(asked)
	if err != nil {
		return "", err
	}
	k := a.allowed(o)
	if k == nil {
		return "", errors.New("wanted a passkey that the options allow, got a device without")
	}
	if a.Counts {
		k.Count++
	}
	s := Said{
		Type: "webauthn.get", Challenge: o.Challenge, Origin: origin, RPID: o.RPID, Flags: FlagUP | FlagUV | FlagBE | FlagBS,
		Count: k.Count, ID: k.ID, Handle: k.Handle, Signer: k.Private,
	}
	for _, l := range lies {
		l(&s)
	}
	data, client := s.data(), s.clientData()
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(bytes.Clone(data), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, s.Signer, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	response := map[string]any{"clientDataJSON": raw(client), "authenticatorData": raw(data), "signature": raw(signature)}
	if s.Handle != nil {
		response["userHandle"] = raw(s.Handle)
	}
	return posted(s.ID, response), nil
}

func (a *Authenticator) allowed(o options) *Credential {
	for i := len(a.Keys) - 1; i >= 0; i-- {
		allowed := len(o.AllowCredentials) == 0
		for _, c := range o.AllowCredentials {
			allowed = allowed || c.ID == raw(a.Keys[i].ID)
		}
		if allowed {
			return a.Keys[i]
		}
	}
	return nil
}

func posted(id []byte, response map[string]any) string {
	b, _ := json.Marshal(map[string]any{
		"id": raw(id), "rawId": raw(id), "type": "public-key", "clientExtensionResults": map[string]any{}, "response": response,
	})
	return string(b)
}

func raw(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func randomID() []byte {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	return b
}

func (s Said) clientData() []byte {
	members := map[string]any{"type": s.Type, "challenge": s.Challenge, "origin": s.Origin, "crossOrigin": false}
	for name, v := range s.Client {
		members[name] = v
	}
	b, _ := json.Marshal(members)
	return b
}

func (s Said) data() []byte {
	rp := sha256.Sum256([]byte(s.RPID))
	return binary.BigEndian.AppendUint32(append(rp[:], s.Flags), s.Count)
}

// attestation is an attestation object without a statement (WebAuthn §6.5.4, §8.7).
func (s Said) attestation(private *ecdsa.PrivateKey) []byte {
	object := []byte{0xa3}
	object = append(append(object, cborText("fmt")...), cborText("none")...)
	object = append(append(object, cborText("attStmt")...), 0xa0)
	return append(append(object, cborText("authData")...), cborBytes(s.attested(private))...)
}

// attested is authenticator data with the public key in COSE (WebAuthn §6.5.1).
func (s Said) attested(private *ecdsa.PrivateKey) []byte {
	data := append(s.data(), make([]byte, 16)...) // AAGUID
	data = binary.BigEndian.AppendUint16(data, uint16(len(s.ID)))
	data = append(data, s.ID...)
	data = append(data, 0xa5, 0x01, 0x02, 0x03)
	data = append(data, cborNegative(s.Alg)...)
	data = append(data, 0x20, 0x01, 0x21)
	public, _ := private.PublicKey.Bytes()
	data = append(data, cborBytes(public[1:33])...)
	return append(append(data, 0x22), cborBytes(public[33:])...)
}

// cborText is a text of fewer than 24 bytes.
func cborText(s string) []byte { return append([]byte{0x60 | byte(len(s))}, s...) }

func cborBytes(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0x59}, uint16(len(b))), b...)
}

func cborNegative(n int) []byte {
	if n >= -24 {
		return []byte{0x20 | byte(-1-n)}
	}
	return binary.BigEndian.AppendUint16([]byte{0x39}, uint16(-1-n))
}
