package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
)

// Accounts is [account.Store].
type Accounts struct{ db *DB }

var _ account.Store = (*Accounts)(nil)

// Accounts returns the store of accounts.
func (db *DB) Accounts() *Accounts { return &Accounts{db} }

// accountsWhere reads accounts with their links in one statement, so that no
// account is seen half before and half after a change.
const accountsWhere = `SELECT a.id, a.state, a.epoch, a.language, a.created, a.recovered, a.closes, a.quiet, a.paused, a.merged_into, a.took_in,
	coalesce(l.id, ''), coalesce(l.provider, ''), coalesce(l.issuer, ''), l.subject, coalesce(l.level, 0), coalesce(l.basis, ''), l.details,
	coalesce(l.first_login, 0), coalesce(l.last_login, 0), coalesce(l.frozen, ''), coalesce(l.level_before, 0), coalesce(l.checked, 0), coalesce(l.standing, '')
	FROM accounts a LEFT JOIN links l ON l.account = a.id WHERE a.id `

var (
	addAccount  = statement(`INSERT INTO accounts (id, state, epoch, language, created) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`)
	addLink     = statement(`INSERT INTO links (id, account, place, provider, issuer, subject, level, basis, details, first_login, last_login, frozen, level_before, checked, standing) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`)
	accountByID = statement(accountsWhere + `= $1 ORDER BY l.place`)
	byIndex     = map[string]*query{bySubject: ownerOf, byNHSNumber: accountsBy(byNHSNumber), byEmail: accountsBy(byEmail), byPhone: accountsBy(byPhone)}
	ownerOf     = statement(accountsWhere + `= (SELECT k.account FROM blind_indexes b JOIN links k ON k.id = b.link
		WHERE b.field = 'subject' AND b.index_key = $1 AND b.value = $2) ORDER BY l.place`)
	linkOf       = statement(`SELECT k.id FROM blind_indexes b JOIN links k ON k.id = b.link WHERE b.field = 'subject' AND b.index_key = $1 AND b.value = $2 AND k.account = $3`)
	setLink      = statement(`UPDATE links SET provider = $1, level = $2, basis = $3, details = $4, last_login = $5, frozen = $6, level_before = $7, checked = $8, standing = $9 WHERE id = $10`)
	frozenLinks  = statement(`SELECT COUNT(*) FROM links l JOIN accounts a ON a.id = l.account WHERE l.frozen <> '' AND a.state = 'active'`)
	nextPlace    = statement(`SELECT coalesce(max(place), -1) + 1 FROM links WHERE account = $1`)
	dropLink     = statement(`DELETE FROM links WHERE id = $1`)
	moveLink     = statement(`UPDATE links SET subject = $1 WHERE id = $2`)
	setState     = statement(`UPDATE accounts SET state = $1, epoch = epoch + 1 WHERE id = $2`)
	setRecovered = statement(`UPDATE accounts SET recovered = $1, paused = 0, epoch = epoch + 1 WHERE id = $2`)
	setPaused    = statement(`UPDATE accounts SET paused = $1, epoch = epoch + 1 WHERE id = $2`)
	raiseEpoch   = statement(`UPDATE accounts SET epoch = epoch + 1 WHERE id = $1`)
	setLanguage  = statement(`UPDATE accounts SET language = $1 WHERE id = $2`)
)

// accountsBy finds accounts by one blind index. The field stands in the text: bound
// as a value, it might or might not imply the partial index blind_indexes_subject,
// so SQLite would plan the statement anew at every run.
func accountsBy(field string) *query {
	return statement(accountsWhere + `IN (SELECT k.account FROM blind_indexes b JOIN links k ON k.id = b.link
		WHERE b.field = '` + field + `' AND b.index_key = $1 AND b.value = $2) ORDER BY a.created, a.id, l.place`)
}

// Create is of [account.Store].
func (s *Accounts) Create(ctx context.Context, a account.Account) error {
	return s.db.whole(ctx, func(ctx context.Context) error {
		err := s.db.must(ctx, fmt.Errorf("account: wanted a new id: %w", identity.ErrConflict),
			addAccount, a.ID, string(a.State), a.Epoch, a.Language, micros(a.Created))
		if err != nil {
			return err
		}
		keys, err := s.db.indexKeysForWriting(ctx)
		if err != nil {
			return err
		}
		for i, l := range a.Links {
			if err := s.addLink(ctx, a.ID, i, l, keys); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Accounts) addLink(ctx context.Context, accountID string, place int, l account.Link, keys []uint32) error {
	id := identity.NewID()
	subject, err := s.db.keys.seal(linkSubject, id, []byte(l.Subject))
	if err != nil {
		return err
	}
	details, err := s.db.keys.sealDetails(id, l.Details)
	if err != nil {
		return err
	}
	_, err = s.db.exec(ctx, addLink, id, accountID, int64(place), l.Provider, l.Issuer, subject,
		int64(l.Level), string(l.Basis), details, micros(l.First), micros(l.Last),
		string(l.Frozen), int64(l.Before), micros(l.Checked), string(l.Standing))
	if err != nil {
		return err
	}
	entries, err := s.db.keys.indexesFor(l, keys)
	if err != nil {
		return err
	}
	return s.db.addIndexes(ctx, id, entries)
}

// Account is of [account.Store].
func (s *Accounts) Account(ctx context.Context, id string) (account.Account, error) {
	found, err := s.read(ctx, accountByID, id)
	return only(found, err)
}

// ByLink is of [account.Store].
func (s *Accounts) ByLink(ctx context.Context, issuer, subject string) (account.Account, error) {
	found, err := s.byIndex(ctx, bySubject, subjectForm(issuer, subject))
	return only(found, err)
}

// ByNHSNumber is of [account.Store].
func (s *Accounts) ByNHSNumber(ctx context.Context, n identity.NHSNumber) ([]account.Account, error) {
	if n.IsZero() {
		return nil, nil
	}
	return s.byIndex(ctx, byNHSNumber, n.Reveal())
}

// ByContact is of [account.Store].
func (s *Accounts) ByContact(ctx context.Context, c identity.Contact) ([]account.Account, error) {
	switch {
	case c.IsZero():
		return nil, nil
	case c.Channel == identity.ByEmail:
		return s.byIndex(ctx, byEmail, c.Address())
	}
	return s.byIndex(ctx, byPhone, c.Address())
}

// byIndex asks every index key and returns each account once.
func (s *Accounts) byIndex(ctx context.Context, field, form string) ([]account.Account, error) {
	var all []account.Account
	for _, key := range *s.db.looks.Load() {
		value, err := s.db.keys.blind(key, field, form)
		if err != nil {
			return nil, err
		}
		found, err := s.read(ctx, byIndex[field], int64(key), value)
		if err != nil {
			return nil, err
		}
		for _, a := range found {
			if !slices.ContainsFunc(all, func(b account.Account) bool { return a.ID == b.ID }) {
				all = append(all, a)
			}
		}
	}
	return all, nil
}

func only(found []account.Account, err error) (account.Account, error) {
	if err != nil {
		return account.Account{}, err
	}
	if len(found) == 0 {
		return account.Account{}, identity.ErrNotFound
	}
	return found[0], nil
}

// read folds the rows, one a link, into accounts.
func (s *Accounts) read(ctx context.Context, q *query, args ...any) ([]account.Account, error) {
	rows, err := list(ctx, s.db, q, s.scan, args...)
	if err != nil {
		return nil, err
	}
	var out []account.Account
	for _, a := range rows {
		if last := len(out) - 1; last >= 0 && out[last].ID == a.ID {
			out[last].Links = append(out[last].Links, a.Links...)
		} else {
			out = append(out, a)
		}
	}
	return out, nil
}

// scan reads an account with one of its links, or with none.
func (s *Accounts) scan(r row) (account.Account, error) {
	var (
		a                                                                                         account.Account
		l                                                                                         account.Link
		linkID                                                                                    string
		subject, details                                                                          []byte
		created, recovered, closes, paused, tookIn, level, firstLogin, lastLogin, before, checked int64
	)
	err := r.Scan(&a.ID, &a.State, &a.Epoch, &a.Language, &created, &recovered, &closes, &a.Quiet, &paused, &a.MergedInto, &tookIn,
		&linkID, &l.Provider, &l.Issuer, &subject, &level, &l.Basis, &details, &firstLogin, &lastLogin, &l.Frozen, &before, &checked, &l.Standing)
	if err != nil {
		return a, err
	}
	a.Created, a.Recovered, a.Closes, a.Paused, a.TookIn = instant(created), instant(recovered), instant(closes), instant(paused), instant(tookIn)
	if linkID == "" {
		return a, nil
	}
	l.Level, l.First, l.Last = identity.Proofing(level), instant(firstLogin), instant(lastLogin)
	l.Before, l.Checked = identity.Proofing(before), instant(checked)
	if err := s.db.keys.openLink(&l, linkID, subject, details); err != nil {
		return a, err
	}
	a.Links = []account.Link{l}
	return a, nil
}

// UpdateLink is of [account.Store].
func (s *Accounts) UpdateLink(ctx context.Context, id string, l account.Link) error {
	return s.db.whole(ctx, func(ctx context.Context) error {
		link, keys, err := s.setLink(ctx, id, l.Subject, l)
		if err != nil {
			return err
		}
		return s.updateIndexes(ctx, link, l, keys)
	})
}

// MoveLink is of [account.Store]. Every index goes, under keys that we don't know
// too: one that stayed would find the account by a subject that is no longer its own,
// and keep others from it. [DB.Reindex] of those who know the key writes it again.
func (s *Accounts) MoveLink(ctx context.Context, id, last string, l account.Link) error {
	return s.db.whole(ctx, func(ctx context.Context) error {
		link, keys, err := s.setLink(ctx, id, last, l)
		if err != nil {
			return err
		}
		subject, err := s.db.keys.seal(linkSubject, link, []byte(l.Subject))
		if err != nil {
			return err
		}
		if _, err := s.db.exec(ctx, moveLink, subject, link); err != nil {
			return err
		}
		if _, err := s.db.exec(ctx, dropIndexes, link); err != nil {
			return err
		}
		want, err := s.db.keys.indexesFor(l, keys)
		if err != nil {
			return err
		}
		return s.db.addIndexes(ctx, link, want)
	})
}

// AddLink is of [account.Store].
func (s *Accounts) AddLink(ctx context.Context, id string, l account.Link) error {
	return s.db.whole(ctx, func(ctx context.Context) error {
		keys, err := s.db.indexKeysForWriting(ctx)
		if err != nil {
			return err
		}
		place, err := one(ctx, s.db, nextPlace, number, id)
		if err != nil {
			return err
		}
		return s.addLink(ctx, id, int(place), l, keys)
	})
}

// DropLink is of [account.Store]. Every index goes with it, as with a link that moved.
func (s *Accounts) DropLink(ctx context.Context, id string, l account.Link) error {
	return s.db.whole(ctx, func(ctx context.Context) error {
		keys, err := s.db.indexKeysForWriting(ctx)
		if err != nil {
			return err
		}
		link, err := s.linkID(ctx, id, l.Issuer, l.Subject, keys[0])
		if err != nil {
			return err
		}
		if _, err := s.db.exec(ctx, dropIndexes, link); err != nil {
			return err
		}
		_, err = s.db.exec(ctx, dropLink, link)
		return err
	})
}

// setLink writes what is kept of the account's link with that subject, but for its
// subject and indexes, and returns its row and the keys that its indexes go under.
func (s *Accounts) setLink(ctx context.Context, id, subject string, l account.Link) (link string, keys []uint32, err error) {
	if keys, err = s.db.indexKeysForWriting(ctx); err != nil {
		return "", nil, err
	}
	if link, err = s.linkID(ctx, id, l.Issuer, subject, keys[0]); err != nil {
		return "", nil, err
	}
	details, err := s.db.keys.sealDetails(link, l.Details)
	if err != nil {
		return "", nil, err
	}
	_, err = s.db.exec(ctx, setLink, l.Provider, int64(l.Level), string(l.Basis), details, micros(l.Last),
		string(l.Frozen), int64(l.Before), micros(l.Checked), string(l.Standing), link)
	return link, keys, err
}

// linkID finds the row of the link by the key that has everything.
func (s *Accounts) linkID(ctx context.Context, accountID, issuer, subject string, key uint32) (string, error) {
	value, err := s.db.keys.blind(key, bySubject, subjectForm(issuer, subject))
	if err != nil {
		return "", err
	}
	return one(ctx, s.db, linkOf, text, int64(key), value, accountID)
}

// updateIndexes writes only what changed: most logins change nothing. An index
// under a key that we don't know goes with a changed contact, and is written
// again by [DB.Reindex] of those who know it.
func (s *Accounts) updateIndexes(ctx context.Context, link string, l account.Link, keys []uint32) error {
	want, err := s.db.keys.indexesFor(l, keys)
	if err != nil {
		return err
	}
	kept, err := s.db.indexesKept(ctx, link)
	if err != nil {
		return err
	}
	if maps.Equal(ours(kept, keys), want) {
		return nil
	}
	if _, err := s.db.exec(ctx, dropContact, link); err != nil {
		return err
	}
	maps.DeleteFunc(want, func(e indexEntry, _ string) bool { _, stays := kept[e]; return stays && e.field == bySubject })
	return s.db.addIndexes(ctx, link, want)
}

// ours leaves the entries under those keys.
func ours(kept map[indexEntry]string, keys []uint32) map[indexEntry]string {
	out := maps.Clone(kept)
	maps.DeleteFunc(out, func(e indexEntry, _ string) bool { return !slices.Contains(keys, e.key) })
	return out
}

// SetState is of [account.Store]. An unknown account is [identity.ErrNotFound].
func (s *Accounts) SetState(ctx context.Context, id string, state account.State) error {
	return s.db.ending(ctx, hastenAccount, id, setState, string(state), id)
}

// Recover is of [account.Store]. An unknown account is [identity.ErrNotFound].
func (s *Accounts) Recover(ctx context.Context, id string, at time.Time) error {
	return s.db.ending(ctx, hastenAccount, id, setRecovered, micros(at), id)
}

// Pause is of [account.Store]. An unknown account is [identity.ErrNotFound].
func (s *Accounts) Pause(ctx context.Context, id string, until time.Time) error {
	return s.db.ending(ctx, hastenAccount, id, setPaused, micros(until), id)
}

// RaiseEpoch is of [account.Store]. An unknown account is [identity.ErrNotFound].
func (s *Accounts) RaiseEpoch(ctx context.Context, id string) error {
	return s.db.ending(ctx, hastenAccount, id, raiseEpoch, id)
}

// Frozen returns how many links of open accounts are frozen, for the operators'
// screen.
func (s *Accounts) Frozen(ctx context.Context) (int64, error) {
	return one(ctx, s.db, frozenLinks, number)
}

var formerNumber = sealedColumn("former_numbers", "number", "id")

var (
	setQuiet  = statement(`UPDATE accounts SET quiet = $1 WHERE id = $2`)
	setCloses = statement(`UPDATE accounts SET closes = $1 WHERE id = $2`)
	dueCloses = statement(`SELECT id FROM accounts WHERE closes <> 0 AND closes <= $1 AND state <> 'deleted' ORDER BY closes LIMIT 100`)
	addFormer = statement(`INSERT INTO former_numbers (id, account, number, replaced) VALUES ($1, $2, $3, $4)`)
	blankRow  = statement(`UPDATE accounts SET language = '', recovered = 0, closes = 0, quiet = FALSE, paused = 0, took_in = 0 WHERE id = $1`)
	eraseOf   = []*query{
		statement(`DELETE FROM blind_indexes WHERE link IN (SELECT id FROM links WHERE account = $1)`),
		statement(`DELETE FROM links WHERE account = $1`),
		statement(`DELETE FROM former_numbers WHERE account = $1`),
		statement(`DELETE FROM contact_changes WHERE account = $1`),
		statement(`DELETE FROM passwords WHERE account = $1`),
		statement(`DELETE FROM sessions WHERE account = $1`),
		dropKnown,
	}
)

// SetCloses is of [account.Store]. An unknown account is [identity.ErrNotFound].
func (s *Accounts) SetCloses(ctx context.Context, id string, at time.Time) error {
	return s.db.must(ctx, identity.ErrNotFound, setCloses, micros(at), id)
}

// SetQuiet is of [account.Store]. An unknown account is [identity.ErrNotFound].
func (s *Accounts) SetQuiet(ctx context.Context, id string, quiet bool) error {
	return s.db.must(ctx, identity.ErrNotFound, setQuiet, quiet, id)
}

// Closing is of [account.Store].
func (s *Accounts) Closing(ctx context.Context, at time.Time) ([]string, error) {
	return list(ctx, s.db, dueCloses, text, micros(at))
}

// KeepFormer is of [account.Store].
func (s *Accounts) KeepFormer(ctx context.Context, id string, n identity.NHSNumber, at time.Time) error {
	row := identity.NewID()
	sealed, err := s.db.keys.seal(formerNumber, row, []byte(n.Reveal()))
	if err != nil {
		return err
	}
	_, err = s.db.exec(ctx, addFormer, row, id, sealed, micros(at))
	return err
}

// Erase is of [account.Store].
func (s *Accounts) Erase(ctx context.Context, id string) error {
	return s.db.whole(ctx, func(ctx context.Context) error {
		if err := s.db.Factors().Erase(ctx, id); err != nil {
			return err
		}
		for _, q := range eraseOf {
			if _, err := s.db.exec(ctx, q, id); err != nil {
				return err
			}
		}
		return s.db.must(ctx, identity.ErrNotFound, blankRow, id)
	})
}

// SetLanguage is of [account.Store]. An unknown account is [identity.ErrNotFound].
func (s *Accounts) SetLanguage(ctx context.Context, id, language string) error {
	return s.db.must(ctx, identity.ErrNotFound, setLanguage, language, id)
}

func (k *Keys) sealDetails(link string, d identity.Details) ([]byte, error) {
	plain, err := json.Marshal(d.Reveal())
	if err != nil {
		return nil, fmt.Errorf("seal details: %w", err)
	}
	return k.seal(linkDetails, link, plain)
}

// openLink fills in what is sealed of the link in that row.
func (k *Keys) openLink(l *account.Link, link string, subject, sealedDetails []byte) error {
	plain, err := k.open(linkSubject, link, subject)
	if err != nil {
		return err
	}
	l.Subject = string(plain)
	if plain, err = k.open(linkDetails, link, sealedDetails); err != nil {
		return err
	}
	l.Details, err = readDetails(plain)
	return err
}

// readDetails reads what sealDetails wrote. Errors never tell a value.
func readDetails(plain []byte) (identity.Details, error) {
	var d identity.Revealed
	if json.Unmarshal(plain, &d) != nil {
		return identity.Details{}, fmt.Errorf("details: wanted the JSON that was sealed, got something else")
	}
	return d.Details()
}
