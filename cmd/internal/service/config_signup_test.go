package service

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dilys-id/dilys/identity/token"
)

func TestGoodSignUp(t *testing.T) {
	folder := desk(t)
	c, err := Parse(filepath.Join(folder, "dilys.yaml"), []byte(testdata(t, "good-signup.yaml")), today)
	if err != nil {
		t.Fatal(err)
	}
	mail, texts := c.Courier.Email.SMTP, c.Courier.SMS.Notify
	for what, row := range map[string]struct{ got, want any }{
		"sign-up":               {c.SignUp, SignUp{Enabled: true, MinimumAge: 18, Practices: []string{"W99901", "W99902"}, TestNHSNumbers: true}},
		"no provider":           {len(c.Providers), 0},
		"token address by rule": {c.Register.TokenURL, "https://int.api.service.nhs.uk/oauth2/token"},
		"register's key":        {c.Register.ClientKey.Alg(), token.RS512},
		"register's kid":        {c.Register.ClientKey.KeyID(), "example-1"},
		"register's api key":    {len(c.Register.APIKey.Reveal()), 43},
		"contact proof":         {c.Register.ContactProof, true},
		"mail server":           {mail.Address, "smtp.example.nhs.uk:587"},
		"sender":                {mail.From, "Example Health Board <no-reply@example.nhs.uk>"},
		"user":                  {mail.Username, "dilys"},
		"password, not ours":    {mail.Password.Reveal(), "Pass word-1"},
		"one carrier a channel": {c.Courier.Email.Notify == nil && c.Courier.SMS.SMTP == nil, true},
		"Notify's own address":  {texts.URL, "https://api.notifications.service.gov.uk"},
		"key with hyphens":      {strings.HasPrefix(texts.APIKey.Reveal(), "dilys-live-"), true},
		"receipts":              {len(texts.ReceiptsToken.Reveal()), 43},
		"limits": {c.Limits, Limits{
			SendCooldown: time.Minute, SendPerAddress: []Rate{{2, 10 * time.Minute}, {5, 24 * time.Hour}}, SendPerFlow: 5,
			SendPerNetwork: []Rate{{10, 10 * time.Minute}, {25, time.Hour}}, SendPerBlock: Rate{10, time.Hour},
			SendPerService: []Rate{{2000, time.Hour}, {200_000, 24 * time.Hour}}, SendReserve: 20,
			CodeGuesses: 5, CodeGuessesDay: 10, CodeGuessesEver: 100,
			PasswordGuesses: Rate{10, 15 * time.Minute}, PasswordLock: 15 * time.Minute, PasswordLockMost: 2 * time.Hour,
			RegisterLookups: Rate{5, 24 * time.Hour},
			Networks:        []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")},
		}},
	} {
		if diff := cmp.Diff(row.want, row.got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
}

// TestNoSignUp reads a configuration that says nothing of it: nobody signs up, and
// every limit stands.
func TestNoSignUp(t *testing.T) {
	folder := desk(t)
	c, err := Parse(filepath.Join(folder, "dilys.yaml"), []byte(good(t)), today)
	if err != nil {
		t.Fatal(err)
	}
	if c.SignUp.Enabled || c.SignUp.TestNHSNumbers || c.SignUp.EmailCodes || c.Register != nil || c.Courier != (Courier{}) {
		t.Errorf("nothing was asked for, got %+v %v %v", c.SignUp, c.Register != nil, c.Courier)
	}
	if c.Limits.SendPerFlow != 5 || len(c.Limits.SendPerAddress) != 3 || c.Limits.PasswordLockMost != 2*time.Hour {
		t.Errorf("the limits are not the defaults: %+v", c.Limits)
	}
}

// Blocks of good-signup.yaml that rows replace as a whole.
const (
	smtpLine   = `{kind: smtp, address: "smtp.example.nhs.uk:587", from: "Example Health Board <no-reply@example.nhs.uk>", username: dilys, password_file: smtp}`
	notifyLine = `{kind: notify, api_key_file: notify, template: 3d6c1f8a-6c2e-4b53-9f0e-8a41c7d2b6e5, receipts_token_file: receipts}`
	pdsBlock   = "\n  kind: pds\n  url: https://int.api.service.nhs.uk/personal-demographics/FHIR/R4\n  client_key: rsa.pem\n  kid: example-1\n  api_key_file: pds\n  contact_proof: true\n"
	mailByHand = `{kind: notify, api_key_file: notify, template: 5b1d1c3e-0d0a-4e5c-8f1d-2f9b8f6a7c11}`
)

// TestRefusedSignUp edits the good configuration, one thing a row.
func TestRefusedSignUp(t *testing.T) { refuse(t, testdata(t, "good-signup.yaml"), refusedSignUp) }

var refusedSignUp = map[string]refusedRow{
	"the good one itself": {edit{}, ""},

	"sign-up without e-mail": {
		edit{"  email: " + smtpLine + "\n": ""},
		"7:12: sign_up.enabled: wanted courier.email beside it, as a sign-up begins with a code by e-mail, got true without it",
	},
	"sign-up whose e-mail is at fault is told of that alone": {
		edit{smtpLine: "{kind: pigeon}"},
		`19:17: courier.email.kind: wanted smtp or notify, got "pigeon"`,
	},
	"no provider and no sign-up": {
		edit{"enabled: true": "enabled: false"},
		"1:1: providers: wanted a list, each a provider, got nothing",
	},
	"an empty list of providers, which may stand beside sign-up": {
		edit{"sign_up:": "providers: []\nsign_up:"}, "",
	},
	"sign-up without texts, which may stand": {
		edit{"  sms: " + notifyLine + "\n": ""}, "",
	},
	"sign-up without a register, which may stand": {
		edit{"register:" + pdsBlock: ""}, "",
	},
	"sign-up that says no more, which may stand": {
		edit{"  minimum_age: 18\n  practices: [W99901, W99902]\n  test_nhs_numbers: true\n": ""}, "",
	},
	"a child":         {edit{"minimum_age: 18": "minimum_age: 12"}, `8:16: sign_up.minimum_age: wanted whole years of 13 to 25, got "12"`},
	"the old alone":   {edit{"minimum_age: 18": "minimum_age: 26"}, `8:16: sign_up.minimum_age: wanted whole years of 13 to 25, got "26"`},
	"age not counted": {edit{"minimum_age: 18": "minimum_age: 016"}, `8:16: sign_up.minimum_age: wanted whole years of 13 to 25, got "016"`},
	"a practice in small letters": {
		edit{"[W99901, W99902]": "[w99901]"},
		`9:15: sign_up.practices[0]: wanted an ODS code such as W99901: 3 to 8 of A-Z and 0-9, got "w99901"`,
	},
	"a practice of more than a code": {
		edit{"[W99901, W99902]": "[W99901001]"},
		`9:15: sign_up.practices[0]: wanted an ODS code such as W99901: 3 to 8 of A-Z and 0-9, got "W99901001"`,
	},
	"any practice, which may stand": {edit{"[W99901, W99902]": "[]"}, ""},
	"codes by e-mail, which may stand": {
		edit{"  test_nhs_numbers: true\n": "  email_codes: true\n  test_nhs_numbers: true\n"}, "",
	},
	"codes by e-mail, perhaps": {
		edit{"  test_nhs_numbers: true\n": "  email_codes: as a second factor\n"},
		`10:16: sign_up.email_codes: wanted true or false, got "as a second factor"`,
	},

	"a register of no kind": {
		edit{"kind: pds\n": "\n"},
		"13:3: register.kind: wanted index or pds, got nothing",
	},
	"a register of another kind": {
		edit{"kind: pds\n": "kind: wds\n"},
		`12:9: register.kind: wanted index or pds, did you mean pds, got "wds"`,
	},
	"an index, which may stand": {edit{pdsBlock: " {kind: index}\n"}, ""},
	"an index by address": {
		edit{pdsBlock: " {kind: index, url: \"https://wds.example.nhs.uk\", contact_proof: true}\n"},
		"11:30: register.url: wanted nothing, as kind index is loaded by dilys register import, got a value" + "\n" +
			"11:75: register.contact_proof: wanted nothing, as kind index is loaded by dilys register import, got a value",
	},
	"PDS without anything": {
		edit{pdsBlock: " {kind: pds}\n"},
		"11:11: register.url: wanted an https address, got nothing" + "\n" +
			"11:11: register.client_key: wanted a file, got nothing" + "\n" +
			"11:11: register.api_key_file: wanted a file, got nothing",
	},
	"PDS over http": {
		edit{"https://int.api.service": "http://int.api.service"},
		`13:8: register.url: wanted an https address, got "http://int.api.service.nhs.uk/personal-demographics/FHIR/R4"`,
	},
	"PDS' tokens over http": {
		edit{"  kid:": "  token_url: http://int.api.service.nhs.uk/oauth2/token\n  kid:"},
		`15:14: register.token_url: wanted an https address, got "http://int.api.service.nhs.uk/oauth2/token"`,
	},
	"PDS' key of another algorithm": {
		edit{"client_key: rsa.pem": "client_key: p256.pem"},
		"14:15: register.client_key: wanted a key for RS512, got one for ES256",
	},
	"PDS' key without a kid": {
		edit{"  kid: example-1\n": ""},
		"12:3: register.kid: wanted the kid that client_key is registered under, got nothing",
	},
	"PDS' key by the contract's name, which may stand": {edit{"api_key_file: pds": "api_key: pds"}, ""},
	"PDS' key by both names": {
		edit{"api_key_file: pds": "api_key_file: pds\n  api_key: pds"},
		"17:12: register.api_key: wanted api_key_file or api_key, a file either way, got both",
	},
	"PDS' key that every user reads": {
		edit{"api_key_file: pds": "api_key_file: world"},
		"16:17: register.api_key_file: wanted a readable file of at most 4 KiB that not everybody may read (chmod o=), got a world-readable one (mode 0604)",
	},

	"e-mail by nothing": {
		edit{smtpLine: "{kind: smtp}"},
		"19:10: courier.email.address: wanted host:port, such as smtp.example:587, got nothing" + "\n" +
			"19:10: courier.email.from: wanted an e-mail address, or NAME <ADDRESS>, got nothing",
	},
	"a mail server without a port": {
		edit{`"smtp.example.nhs.uk:587"`: "smtp.example.nhs.uk"},
		`19:32: courier.email.address: wanted host:port, such as smtp.example:587, got "smtp.example.nhs.uk"`,
	},
	"a mail server at port 0": {
		edit{`"smtp.example.nhs.uk:587"`: `"smtp.example.nhs.uk:0"`},
		`19:32: courier.email.address: wanted host:port, such as smtp.example:587, got "smtp.example.nhs.uk:0"`,
	},
	"a mail server of no name": {
		edit{`"smtp.example.nhs.uk:587"`: `":587"`},
		`19:32: courier.email.address: wanted host:port, such as smtp.example:587, got ":587"`,
	},
	"a mail server by address, which may stand": {edit{`"smtp.example.nhs.uk:587"`: `"[2001:db8::1]:25"`}, ""},
	"a mail server that never says STARTTLS": {
		edit{`"smtp.example.nhs.uk:587"`: `"smtp.example.nhs.uk:465"`},
		`19:32: courier.email.address: wanted a port that STARTTLS is spoken at, such as 587, got "smtp.example.nhs.uk:465"`,
	},
	"a mail server's user without password": {
		edit{", password_file: smtp": ""},
		"19:10: courier.email.password_file: wanted a file, got nothing",
	},
	"a mail server's password without user": {
		edit{", username: dilys": ""},
		"19:10: courier.email.username: wanted text, got nothing",
	},
	"a mail server that asks for neither, which may stand": {edit{", username: dilys, password_file: smtp": ""}, ""},
	"a mail server's password of seven": {
		edit{"password_file: smtp": "password_file: short-password"},
		"19:147: courier.email.password_file: wanted a password of 8 characters or more, got 7 characters",
	},
	"a mail server's password of two lines": {
		edit{"password_file: smtp": "password_file: two-lines"},
		"19:147: courier.email.password_file: wanted a password of one line, in ASCII, got something else",
	},
	"a sender of no address": {
		edit{`"Example Health Board <no-reply@example.nhs.uk>"`: "Example Health Board"},
		`19:65: courier.email.from: wanted an e-mail address, or NAME <ADDRESS>, got "Example Health Board"`,
	},
	"a sender of two addresses": {
		edit{`"Example Health Board <no-reply@example.nhs.uk>"`: `"a@example.nhs.uk, b@example.nhs.uk"`},
		`19:65: courier.email.from: wanted an e-mail address, or NAME <ADDRESS>, got "a@example.nhs.uk, b@example.nhs.uk"`,
	},
	"a sender with a header behind it": {
		edit{`"Example Health Board <no-reply@example.nhs.uk>"`: `"a@example.nhs.uk\r\nBcc: b@example.nhs.uk"`},
		`19:65: courier.email.from: wanted an e-mail address, or NAME <ADDRESS>, got "a@example.nhs.uk\r\nBcc: b@example.nhs.uk"`,
	},
	"a sender by address alone, which may stand": {edit{`"Example Health Board <no-reply@example.nhs.uk>"`: "no-reply@example.nhs.uk"}, ""},
	"a mail server with a template": {
		edit{"{kind: smtp,": "{kind: smtp, template: 3d6c1f8a-6c2e-4b53-9f0e-8a41c7d2b6e5,"},
		"19:33: courier.email.template: wanted nothing beside kind: smtp, got a value",
	},
	"a template with a sender": {
		edit{"{kind: notify,": "{kind: notify, from: dilys,"},
		"20:29: courier.sms.from: wanted nothing beside kind: notify, got a value",
	},
	"texts by a mail server": {
		edit{notifyLine: `{kind: smtp, address: "smtp.example.nhs.uk:587", from: no-reply@example.nhs.uk}`},
		`20:15: courier.sms.kind: wanted notify, got "smtp"`,
	},
	"texts by nothing": {
		edit{notifyLine: "{kind: notify}"},
		"20:8: courier.sms.api_key_file: wanted a file, got nothing" + "\n" +
			"20:8: courier.sms.template: wanted the id of a template, got nothing",
	},
	"Notify over http": {
		edit{"{kind: notify,": "{kind: notify, url: \"http://api.notifications.service.gov.uk\","},
		`20:28: courier.sms.url: wanted an https address, got "http://api.notifications.service.gov.uk"`,
	},
	"Notify at a path": {
		edit{"{kind: notify,": "{kind: notify, url: \"https://api.notifications.service.gov.uk/v2/\","},
		`20:28: courier.sms.url: wanted scheme and host alone, got "https://api.notifications.service.gov.uk/v2/"`,
	},
	"Notify's key without its name": {
		edit{"api_key_file: notify,": "api_key_file: pds,"},
		"20:37: courier.sms.api_key_file: wanted an API key of GOV.UK Notify: a name and two UUIDs, with - between, got something else",
	},
	"Notify's key with something behind it": {
		edit{"api_key_file: notify,": "api_key_file: notify-renamed,"},
		"20:37: courier.sms.api_key_file: wanted an API key of GOV.UK Notify: a name and two UUIDs, with - between, got something else",
	},
	"a template by its name": {
		edit{"3d6c1f8a-6c2e-4b53-9f0e-8a41c7d2b6e5": "codes"},
		`20:55: courier.sms.template: wanted the id of a template, a UUID, got "codes"`,
	},
	"one template for both channels": {
		edit{smtpLine: strings.Replace(mailByHand, "5b1d1c3e-0d0a-4e5c-8f1d-2f9b8f6a7c11", "3D6C1F8A-6C2E-4B53-9F0E-8A41C7D2B6E5", 1)},
		`20:55: courier.sms.template: wanted a template of its own, as courier.email has this one, got "3d6c1f8a-6c2e-4b53-9f0e-8a41c7d2b6e5"`,
	},
	"one service at Notify for both channels, which may stand": {
		edit{smtpLine: strings.Replace(mailByHand, "notify,", "notify, receipts_token_file: receipts,", 1)}, "",
	},
	"two services at Notify, which may stand": {edit{smtpLine: strings.Replace(mailByHand, "api_key_file: notify", "api_key_file: notify-other", 1)}, ""},
	"receipts under the register's key": {
		edit{"receipts_token_file: receipts": "receipts_token_file: pds"},
		"16:17: register.api_key_file: wanted a secret of its own, got that of courier.sms.receipts_token_file",
	},
	"receipts under Notify's key": {
		edit{"api_key_file: notify,": "api_key_file: notify-other,", "receipts_token_file: receipts": "receipts_token_file: notify-other"},
		"20:120: courier.sms.receipts_token_file: wanted a secret of its own, got that of courier.sms.api_key_file",
	},
	"letters, which nobody carries": {
		edit{"courier:\n": "courier:\n  letter: {kind: post}\n"},
		"19:3: courier.letter: wanted one of email, sms, got an unknown key",
	},

	"a rate that is none":     {edit{"[2/10m, 5/24h]": "[2 in 10m]"}, `22:22: limits.send_per_address[0]: wanted a rate such as 5/10m, got "2 in 10m"`},
	"a rate of nothing":       {edit{"[2/10m, 5/24h]": "[0/10m]"}, `22:22: limits.send_per_address[0]: wanted a rate such as 5/10m, got "0/10m"`},
	"a rate for ever":         {edit{"[2/10m, 5/24h]": "[2/10m, 5/2d]"}, `22:29: limits.send_per_address[1]: wanted a rate such as 5/10m, got "5/2d"`},
	"a rate again":            {edit{"[2/10m, 5/24h]": "[2/10m, 2/10m, 5/24h]"}, `22:29: limits.send_per_address[1]: wanted each once, got "2/10m" again`},
	"a flood to one address":  {edit{"[2/10m, 5/24h]": "[5/10m, 10/1h]"}, `22:21: limits.send_per_address: wanted a rate of at most 20/24h among them, got [5/10m, 10/1h]`},
	"a burst to one address":  {edit{"[2/10m, 5/24h]": "[2/1m, 10/1h, 20/24h]"}, `22:21: limits.send_per_address: wanted a rate of at most 5/10m among them, got [2/1m, 10/1h, 20/24h]`},
	"one rate that does both": {edit{"[2/10m, 5/24h]": "[5/24h]"}, ""},
	"Notify's budget of a service on trial, which may stand": {
		edit{"limits:": "limits:\n  send_per_service: [50/24h]\n  send_reserve: 50%"}, "",
	},
	"more than Notify sends in a day": {
		edit{"limits:": "limits:\n  send_per_service: [2000/1h, 300000/24h]"},
		"22:21: limits.send_per_service: wanted a rate of at most 250000/24h among them, got [2000/1h, 300000/24h]",
	},
	"nothing kept back":         {edit{"limits:": "limits:\n  send_reserve: 0%"}, `22:17: limits.send_reserve: wanted a share of 5% to 50%, got "0%"`},
	"nearly all kept back":      {edit{"limits:": "limits:\n  send_reserve: 51%"}, `22:17: limits.send_reserve: wanted a share of 5% to 50%, got "51%"`},
	"a share of no unit":        {edit{"limits:": "limits:\n  send_reserve: 0.2"}, `22:17: limits.send_reserve: wanted a share of 5% to 50%, got "0.2"`},
	"a sixth guess":             {edit{"limits:": "limits:\n  code_guesses: 6"}, `22:17: limits.code_guesses: wanted a number of 3 to 5, got "6"`},
	"guesses without end":       {edit{"limits:": "limits:\n  code_guesses_ever: 101"}, `22:22: limits.code_guesses_ever: wanted a number of 20 to 100, got "101"`},
	"a guess a minute":          {edit{"limits:": "limits:\n  password_guesses: 1/1m"}, `22:21: limits.password_guesses: wanted a rate of 3 or more, and at most 10/15m, got "1/1m"`},
	"no typing error forgiven":  {edit{"limits:": "limits:\n  password_guesses: 2/15m"}, `22:21: limits.password_guesses: wanted a rate of 3 or more, and at most 10/15m, got "2/15m"`},
	"a lock that shrinks":       {edit{"limits:": "limits:\n  password_lock: 1h\n  password_lock_most: 30m"}, `23:23: limits.password_lock_most: wanted no less than password_lock (1h), got "30m"`},
	"tighter ones, which stand": {edit{"limits:": "limits:\n  code_guesses: 3\n  code_guesses_per_day: 5\n  password_guesses: 3/24h\n  register_lookups: 3/24h\n  send_per_flow: 3\n  send_per_block: 5/1h\n  send_cooldown: 2m"}, ""},
	"everybody's network":       {edit{"192.0.2.0/24": "0.0.0.0/0"}, `23:14: limits.networks[0]: wanted a network of /8 or narrower, got "0.0.0.0/0"`},
}

// TestLoopbackSignUp reads what a developer's machine has: plain http and plain
// SMTP, to this machine alone.
func TestLoopbackSignUp(t *testing.T) {
	const text = `
public_url: http://localhost:8080
insecure_loopback: true
database: sqlite:dilys.db
keys: keys
organisation: {name: {en: Example, cy: Enghraifft}}
sign_up: {enabled: true, test_nhs_numbers: true}
register: {kind: pds, url: "http://127.0.0.1:8086/FHIR/R4", client_key: rsa.pem, kid: a, api_key_file: pds}
courier:
  email: {kind: smtp, address: "127.0.0.1:8025", from: dilys@example.org}
  sms: {kind: notify, url: "http://127.0.0.1:8085", api_key_file: notify, template: 3d6c1f8a-6c2e-4b53-9f0e-8a41c7d2b6e5}
`
	rows := map[string]refusedRow{
		"the good one itself": {edit{}, ""},
		"a mail server elsewhere": {
			edit{"127.0.0.1:8025": "smtp.example.org:587"},
			`10:32: courier.email.address: wanted a loopback address, as insecure_loopback is true, got "smtp.example.org:587"`,
		},
		"a password sent plainly": {
			edit{"from: dilys@example.org": "from: dilys@example.org, username: dilys, password_file: smtp"},
			"10:85: courier.email.username: wanted nothing, as SMTP is plain while insecure_loopback is true, got a value" + "\n" +
				"10:107: courier.email.password_file: wanted nothing, as SMTP is plain while insecure_loopback is true, got a value",
		},
		"Notify itself": {
			edit{`url: "http://127.0.0.1:8085", `: ""},
			`11:8: courier.sms.url: wanted a loopback address, as insecure_loopback is true, got "https://api.notifications.service.gov.uk"`,
		},
		"PDS elsewhere": {
			edit{"http://127.0.0.1:8086": "https://int.api.service.nhs.uk"},
			`8:28: register.url: wanted a loopback address, as insecure_loopback is true, got "https://int.api.service.nhs.uk/FHIR/R4"`,
		},
	}
	refuse(t, text, rows)
}

// Who asks for codes by e-mail is told what they are worth.
func TestEmailCodesAreExplained(t *testing.T) {
	text := strings.Replace(testdata(t, "good-signup.yaml"), "test_nhs_numbers: true\n", "email_codes: true\n", 1)
	c, err := Parse(filepath.Join(desk(t), "dilys.yaml"), []byte(text), today)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := c.Explain(&out); err != nil || !c.SignUp.EmailCodes || !strings.Contains(out.String(), "sign_up.second_step") || !strings.Contains(out.String(), "no letter of the vector") {
		t.Errorf("got %v\n%s", err, out.String())
	}
}
