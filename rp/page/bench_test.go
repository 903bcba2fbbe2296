package page_test

import (
	"testing"

	"github.com/dilys-id/dilys/rp/page"
	"github.com/dilys-id/dilys/rp/page/pagetest"
)

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := page.New(pagetest.Options()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	p, err := page.New(pagetest.Options())
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range pagetest.Samples(page.English)[:6] {
		b.Run(s.Name, func(b *testing.B) {
			for b.Loop() {
				if _, err := p.Render(s.Frame, s.Content); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
