package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/template"
	"time"

	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/approval"
	"github.com/dilys-id/dilys/identity/factor"
)

type activationCommands struct {
	Issue  activationIssue  `cmd:"" help:"Make a code for a patient whose NHS number is read from standard input. It is shown once."`
	Revoke activationRevoke `cmd:"" help:"End a code that was not used yet."`
	List   activationList   `cmd:"" help:"List codes that were handed over, without the patients' values."`
}

type activationIssue struct {
	reason
}

// Run makes a code and prints what to hand over.
func (i activationIssue) Run(ctx context.Context, con console, c *cli) error {
	number, err := readNHSNumber(os.Stdin)
	if err != nil {
		return err
	}
	return c.withRecords(ctx, con, func(r *service.Records) error {
		code, h, err := r.Factors.Issue(ctx, factor.Handed{
			Kind: factor.Activation, NHSNumber: number, Basis: "practice", IssuedBy: actor(), Reason: i.Reason,
		})
		if err != nil {
			return err
		}
		return handOver(con, r.Config.PublicURL, code, h)
	})
}

// readNHSNumber reads a number where no list of processes shows it.
func readNHSNumber(from io.Reader) (identity.NHSNumber, error) {
	line, err := readLine(from)
	if err != nil {
		return identity.NHSNumber{}, err
	}
	number, err := identity.ParseNHSNumber(line.Reveal())
	if err != nil {
		return identity.NHSNumber{}, fmt.Errorf("%w: standard input: %w", errUsage, err)
	}
	return number, nil
}

type activationRevoke struct {
	reason
	ID string `arg:"" help:"The reference that was shown with the code, such as DIL-7F3K-Q2."`
}

// Run ends a code.
func (v activationRevoke) Run(ctx context.Context, con console, c *cli) error {
	id, err := readReference(v.ID)
	if err != nil {
		return err
	}
	return c.withRecords(ctx, con, func(r *service.Records) error {
		return r.Factors.Revoke(ctx, id, actor(), v.Reason)
	})
}

// readReference reads the name of a code or request as a person types it.
func readReference(typed string) (string, error) {
	id, ok := identity.ParseReference(typed)
	if !ok {
		return "", fmt.Errorf("%w: reference: wanted one such as DIL-7F3K-Q2", errUsage)
	}
	return id, nil
}

type activationList struct{}

// Run lists the codes that are kept, one a line.
func (activationList) Run(ctx context.Context, con console, c *cli) error {
	return c.withRecords(ctx, con, func(r *service.Records) error {
		all, err := r.Factors.ListHanded(ctx)
		if err != nil {
			return err
		}
		for _, h := range all {
			_, err := fmt.Fprintf(con.out, "%s  %s  %-16s  %s  by %s\n",
				h.ID, h.Kind.Level(), h.Basis, standing(h, time.Now()), givers(h))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// standing says what became of a code, with the day.
func standing(h factor.Handed, now time.Time) string {
	switch {
	case !h.Spent.IsZero():
		return "used " + h.Spent.Format(time.DateOnly)
	case !h.Revoked.IsZero():
		return "revoked " + h.Revoked.Format(time.DateOnly)
	case h.Over(now) != nil:
		return "ended " + h.Expires.Format(time.DateOnly)
	}
	return "good until " + h.Expires.Format(time.DateOnly)
}

func givers(h factor.Handed) string {
	if h.ConfirmedBy == "" {
		return h.IssuedBy
	}
	return h.IssuedBy + " and " + h.ConfirmedBy
}

type proofCommands struct {
	Record proofRecord `cmd:"" help:"Ask a colleague who saw the documents too to confirm it; the code is then shown to them. The NHS number is read from standard input."`
}

type proofRecord struct {
	reason
	Documents string `required:"" enum:"passport,driving-licence,residence-permit,identity-card,pass-card" help:"What was seen: ${enum}."`
}

// recordProof is the verb of a request to record a proof.
const recordProof = "proof-record"

// Arguments of the verb.
const (
	argNHSNumber = "nhs_number"
	argDocuments = "documents"
)

// Run asks for a second person.
func (p proofRecord) Run(ctx context.Context, con console, c *cli) error {
	number, err := readNHSNumber(os.Stdin)
	if err != nil {
		return err
	}
	return c.withRecords(ctx, con, func(r *service.Records) error {
		q, err := r.Approvals.Ask(ctx, approval.Request{
			Verb: recordProof, AskedBy: actor(), Reason: p.Reason,
			Args: map[string]identity.Secret{argNHSNumber: identity.Secret(number.Reveal()), argDocuments: identity.Secret(p.Documents)},
		})
		if err != nil {
			return err
		}
		return tellAsked(con, q)
	})
}

// confirmProof makes the code of a proof that two people saw.
func confirmProof(ctx context.Context, r *service.Records, q approval.Request) (answer, error) {
	number, err := identity.ParseNHSNumber(q.Args[argNHSNumber].Reveal())
	if err != nil {
		return nil, err
	}
	code, h, err := r.Factors.Issue(ctx, factor.Handed{
		Kind: factor.Documents, NHSNumber: number, Basis: q.Args[argDocuments].Reveal(), IssuedBy: q.AskedBy, ConfirmedBy: q.DecidedBy, Reason: q.Reason,
	})
	return func(con console) error { return handOver(con, r.Config.PublicURL, code, h) }, err
}

// paper is what the patient is given. Both languages stand on it: nobody asked her
// which one she reads.
var paper = template.Must(template.New("").Parse(`reference  {{.Reference}}
code       {{.Code}}

Your code: {{.Code}}
It shows us that you are you. Use it by {{.By}}: log in or sign up at
{{.Address}} and type it where we ask for a code on paper. It works once.
Do not give it to anybody, even if they say that they work for the NHS.
If you lose it, tell us this reference: {{.Reference}}

Eich cod: {{.Code}}
Mae'n dangos i ni mai chi ydych chi. Defnyddiwch ef erbyn {{.Erbyn}}: mewngofnodwch
neu gofrestrwch yn {{.Address}} a theipiwch ef lle rydym yn gofyn am god ar bapur.
Mae'n gweithio unwaith yn unig. Peidiwch â'i roi i neb, hyd yn oed os ydynt yn dweud
eu bod yn gweithio i'r GIG. Os byddwch yn ei golli, rhowch y cyfeirnod hwn i ni:
{{.Reference}}
`))

// handOver prints a code, once, as it goes on paper.
func handOver(con console, address string, code identity.Secret, h factor.Handed) error {
	_, _ = fmt.Fprintln(con.say, "hand this over on paper, to the patient alone; the code is not shown again")
	by := lastWholeDay(h.Expires)
	return paper.Execute(con.out, map[string]string{
		"Reference": h.ID, "Code": code.Reveal(), "Address": address,
		"By":    fmt.Sprintf("%d %s %d", by.Day(), by.Month(), by.Year()),
		"Erbyn": fmt.Sprintf("%d %s %d", by.Day(), misoedd[by.Month()-1], by.Year()),
	})
}

// lastWholeDay is a day that ends before the code does, in summer too, when the
// United Kingdom is ahead of UTC: a patient reads a date as all of that day.
func lastWholeDay(end time.Time) time.Time {
	const day = 24 * time.Hour
	return end.UTC().Add(-day)
}

// misoedd are the months in Welsh.
var misoedd = [...]string{
	"Ionawr", "Chwefror", "Mawrth", "Ebrill", "Mai", "Mehefin", "Gorffennaf", "Awst", "Medi", "Hydref", "Tachwedd", "Rhagfyr",
}
