package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// A generation of the register is sealed as a whole: a random secret of its own
// keys the rows and the digests, and the keyset seals that secret. So a rotation
// of the sealing keys re-seals one value, not a million rows, a digest says
// nothing about one of another import, and a row opens at its own place of its
// own generation only.

// generation is one import.
type generation struct {
	id       string
	number   int64
	entries  int64
	pageBits int64
	answers  time.Time

	rows      cipher.AEAD
	digestKey []byte
}

const generationSecret = 32 // bytes

// newSecret returns the secret of a new generation and derives its keys.
func (g *generation) newSecret() ([]byte, error) {
	secret := make([]byte, generationSecret)
	_, _ = rand.Read(secret) // never fails: crypto/rand ends the process instead
	return secret, g.derive(secret)
}

// derive makes the keys of the rows and of the digests out of the secret (HKDF,
// RFC 5869).
func (g *generation) derive(secret []byte) error {
	rowKey, err := hkdf.Key(sha256.New, secret, nil, "dilys register rows", sha256.Size)
	if err != nil {
		return fmt.Errorf("register: keys: %w", err)
	}
	block, err := aes.NewCipher(rowKey)
	if err != nil {
		return fmt.Errorf("register: keys: %w", err)
	}
	if g.rows, err = cipher.NewGCM(block); err != nil {
		return fmt.Errorf("register: keys: %w", err)
	}
	g.digestKey, err = hkdf.Key(sha256.New, secret, nil, "dilys register digests", sha256.Size)
	return err
}

// nonce is the place of the row: a place is written once in a generation, so none
// repeats under its key (NIST SP 800-38D §8.2.1), and a row that is moved to
// another place no longer opens.
func (g *generation) nonce(place uint32) []byte {
	nonce := make([]byte, g.rows.NonceSize())
	binary.BigEndian.PutUint32(nonce[len(nonce)-4:], place)
	return nonce
}

// seal closes a row for that place.
func (g *generation) seal(place uint32, r RegisterRow) []byte {
	plain := packRegisterRow(r)
	return g.rows.Seal(nil, g.nonce(place), plain, nil)
}

var errRegisterRow = errors.New("register: wanted an entry sealed for its place by its generation, got another")

// open returns the row that was sealed for that place.
func (g *generation) open(place uint32, sealed []byte) (RegisterRow, error) {
	plain, err := g.rows.Open(nil, g.nonce(place), sealed, nil)
	if err != nil {
		return RegisterRow{}, errRegisterRow
	}
	return unpackRegisterRow(string(plain))
}

// digester makes digests. It is for one goroutine.
type digester struct {
	mac hash.Hash
	sum [sha256.Size]byte
}

func (g *generation) digester() *digester { return &digester{mac: hmac.New(sha256.New, g.digestKey)} }

// digest returns the first 64 bits of the keyed digest of a form of that field:
// enough to find the few entries that may have it, which are then compared.
func (d *digester) digest(field, form string) uint64 {
	d.mac.Reset()
	_, _ = d.mac.Write([]byte(field)) // a hash never fails
	_, _ = d.mac.Write([]byte{0})
	_, _ = d.mac.Write([]byte(form))
	return binary.BigEndian.Uint64(d.mac.Sum(d.sum[:0]))
}

// Fields that the register is asked by.
const (
	registerNumber  = "number"
	registerContact = "contact"
	registerPerson  = "person" // family name, birth date and postcode
)

var registerFields = []string{registerNumber, registerContact, registerPerson}

// registerForms returns every form of a row that it can be found by.
func registerForms(r RegisterRow) map[string][]string {
	forms := map[string][]string{registerNumber: {r.NHSNumber.Reveal()}}
	for _, c := range []identity.Contact{r.Email.Contact(), r.Mobile.Contact(), r.Landline.Contact()} {
		if !c.IsZero() {
			forms[registerContact] = append(forms[registerContact], c.Canonical())
		}
	}
	forms[registerPerson] = personForms(r.BirthDate, r.Postcode, r.FamilyName, r.FormerFamilyName)
	return forms
}

// searchForms returns every form that the entry of somebody who says so may have.
// Given and family name may have changed places ([identity.Match]).
func searchForms(d identity.Details, postcode identity.Postcode) []string {
	return personForms(d.BirthDate, postcode, d.FamilyName, d.GivenName)
}

// personForms returns the forms of a person of one of those family names, or none
// where something is missing.
func personForms(born identity.BirthDate, postcode identity.Postcode, families ...identity.Name) []string {
	if born.IsZero() || postcode.IsZero() {
		return nil
	}
	var all []string
	for _, family := range families {
		for _, form := range family.Forms() {
			all = append(all, form+"\x00"+born.Reveal()+"\x00"+postcode.Reveal())
		}
	}
	return all
}

func packRegisterRow(r RegisterRow) []byte {
	p := packing{bytes: make([]byte, 0, 256)}
	p.registerRow(&r)
	return p.bytes
}

var errRegisterPacking = errors.New("register: wanted an entry that was packed, got something else")

func unpackRegisterRow(body string) (r RegisterRow, err error) {
	p := packing{rest: body, reading: true}
	p.registerRow(&r)
	if p.broken {
		return RegisterRow{}, errRegisterPacking
	}
	return r, nil
}

func (p *packing) registerRow(r *RegisterRow) {
	packValue(p, &r.NHSNumber, identity.ParseNHSNumber)
	packValue(p, &r.FamilyName, identity.ParseName)
	packValue(p, &r.FormerFamilyName, identity.ParseName)
	packValue(p, &r.GivenName, identity.ParseName)
	packValue(p, &r.BirthDate, identity.ParseBirthDate)
	packValue(p, &r.Mobile, identity.ParsePhone)
	packValue(p, &r.Landline, identity.ParsePhone)
	packValue(p, &r.Email, identity.ParseEmail)
	packValue(p, &r.Postcode, identity.ParsePostcode)
	packText(p, &r.Practice)
	packText(p, &r.Standing)
	p.flag(&r.Protected)
	packText(p, &r.GPAccountID)
	packText(p, &r.GPLinkageKey)
	packValue(p, &r.Successor, identity.ParseNHSNumber)
}

// packValue keeps a personal value as its text, and nothing for none.
func packValue[T interface{ Reveal() string }](p *packing, v *T, parse func(string) (T, error)) {
	text := (*v).Reveal()
	packText(p, &text)
	if !p.reading || text == "" {
		return
	}
	parsed, err := parse(text)
	p.broken = p.broken || err != nil
	*v = parsed
}
