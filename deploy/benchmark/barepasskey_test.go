package benchmark

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"time"
)

// barePasskey is the least that could log a patient in by passkey: a challenge bound to
// the browser and spent once, in a commit of its own, before the answer is judged; the
// key read; its signature verified (WebAuthn §7.2 step 21); counter, session and event
// kept in a second commit, on the same database engine with the same promise to the
// disk. It judges no flags and no origin, limits nothing, seals nothing, and its page is
// the options alone.
func barePasskey(ctx context.Context) error {
	p, err := newBareKeys(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = p.db.Close() }()
	return answer(ctx, p.serve, loginPath, makePath, givePath)
}

type bareKeys struct {
	secret                           []byte // of challenges
	db                               *sql.DB
	add, spend, key, use, open, tell *sql.Stmt
}

func newBareKeys(ctx context.Context) (*bareKeys, error) {
	p := &bareKeys{secret: []byte(rand.Text())}
	var err error
	p.db, err = openBare(ctx, `
		CREATE TABLE passkeys (credential TEXT PRIMARY KEY, x BLOB NOT NULL, used BIGINT NOT NULL);
		CREATE TABLE challenges (challenge BLOB PRIMARY KEY);
		CREATE TABLE sessions (secret BLOB PRIMARY KEY, subject TEXT NOT NULL, created BIGINT NOT NULL);
		CREATE TABLE events (at BIGINT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL);`,
		map[**sql.Stmt]string{
			&p.add:   `INSERT INTO passkeys (credential, x, used) VALUES ($1, $2, 0)`,
			&p.spend: `INSERT INTO challenges (challenge) VALUES ($1)`,
			&p.key:   `SELECT x FROM passkeys WHERE credential = $1`,
			&p.use:   `UPDATE passkeys SET used = $1 WHERE credential = $2`,
			&p.open:  `INSERT INTO sessions (secret, subject, created) VALUES ($1, $2, $3)`,
			&p.tell:  `INSERT INTO events (at, kind, subject) VALUES ($1, 'login', $2)`,
		})
	return p, err
}

func (p *bareKeys) serve(w http.ResponseWriter, r *http.Request) error {
	switch {
	case r.Method == http.MethodGet:
		return p.ask(w)
	case r.URL.Path == makePath:
		return p.keep(r)
	}
	return p.logIn(w, r)
}

func (p *bareKeys) challenge(browser string) []byte {
	mac := hmac.New(sha256.New, p.secret)
	_, _ = mac.Write([]byte(browser))
	return mac.Sum(nil)
}

// ask shows the options of either ceremony.
func (p *bareKeys) ask(w http.ResponseWriter) error {
	browser := rand.Text()
	http.SetCookie(w, &http.Cookie{Name: "browser", Value: browser, Path: "/", HttpOnly: true})
	options, err := json.Marshal(map[string]any{
		"challenge": base64.RawURLEncoding.EncodeToString(p.challenge(browser)), "rpId": "localhost",
		"rp": map[string]string{"id": "localhost"}, "user": map[string]string{"id": "cGF0aWVudA"},
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `<div data-passkey="get" data-options="%s" data-action="%s" data-along="{}"></div>`, html.EscapeString(string(options)), givePath)
	return err
}

type bareCredential struct {
	ID       string `json:"id"`
	Response struct {
		ClientDataJSON, AttestationObject, AuthenticatorData, Signature string
	} `json:"response"`
}

func readBare(r *http.Request) (c bareCredential, err error) {
	return c, json.Unmarshal([]byte(r.FormValue("credential")), &c)
}

// keep keeps a public key: an attestation without a statement ends with its coordinates.
func (p *bareKeys) keep(r *http.Request) error {
	c, err := readBare(r)
	if err != nil {
		return err
	}
	object, err := base64.RawURLEncoding.DecodeString(c.Response.AttestationObject)
	const coordinate, between = 32, 4 // the label and length of the second
	if err != nil || len(object) < 2*coordinate+between {
		return errors.Join(err, errors.New("wanted an attestation"))
	}
	x, y := object[len(object)-2*coordinate-between:len(object)-coordinate-between], object[len(object)-coordinate:]
	_, err = p.add.ExecContext(r.Context(), c.ID, append(append([]byte{4}, x...), y...))
	return err
}

func (p *bareKeys) logIn(w http.ResponseWriter, r *http.Request) error {
	c, err := readBare(r)
	if err != nil {
		return err
	}
	browser, err := r.Cookie("browser")
	if err != nil {
		return err
	}
	challenge := p.challenge(browser.Value)
	if _, err := p.spend.ExecContext(r.Context(), challenge); err != nil {
		return err
	}
	if err := p.verify(r.Context(), c, challenge); err != nil {
		return err
	}
	secret, now := rand.Text(), time.Now().UnixMicro()
	digest := sha256.Sum256([]byte(secret))
	tx, err := p.db.BeginTx(r.Context(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for stmt, args := range map[*sql.Stmt][]any{p.use: {now, c.ID}, p.open: {digest[:], c.ID, now}, p.tell: {now, c.ID}} {
		if _, err := tx.StmtContext(r.Context(), stmt).ExecContext(r.Context(), args...); err != nil {
			return err
		}
	}
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: secret, Path: "/", HttpOnly: true})
	w.Header().Set("Location", "/account")
	w.WriteHeader(http.StatusSeeOther)
	return tx.Commit()
}

func (p *bareKeys) verify(ctx context.Context, c bareCredential, challenge []byte) error {
	client, errClient := base64.RawURLEncoding.DecodeString(c.Response.ClientDataJSON)
	data, errData := base64.RawURLEncoding.DecodeString(c.Response.AuthenticatorData)
	signature, errSignature := base64.RawURLEncoding.DecodeString(c.Response.Signature)
	var said struct{ Challenge string }
	if err := errors.Join(errClient, errData, errSignature, json.Unmarshal(client, &said)); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(said.Challenge), []byte(base64.RawURLEncoding.EncodeToString(challenge))) != 1 {
		return errors.New("wanted the challenge of this browser, got another")
	}
	var point []byte
	if err := p.key.QueryRowContext(ctx, c.ID).Scan(&point); err != nil {
		return err
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return err
	}
	if !ecdsa.VerifyASN1(public, signed(data, client), signature) {
		return errors.New("wanted a signature of the passkey's, got another")
	}
	return nil
}

// signed is the digest of what a passkey signs.
func signed(data, client []byte) []byte {
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(data, hash[:]...))
	return digest[:]
}

// signatures verifies one signature that many times, and returns how long one took, in
// microseconds of processor time.
func signatures(times int) (float64, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return 0, err
	}
	digest := signed(make([]byte, 37), make([]byte, 150))
	signature, err := ecdsa.SignASN1(rand.Reader, private, digest)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	for range times {
		if !ecdsa.VerifyASN1(&private.PublicKey, digest, signature) {
			return 0, errors.New("wanted a good signature, got a bad one")
		}
	}
	return float64(time.Since(began).Nanoseconds()) / 1000 / float64(times), nil
}
