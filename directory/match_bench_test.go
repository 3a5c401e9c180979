package directory_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// townsfolk makes n teams of a few sources, of which one in ten is there twice;
// names are towns and companies, made of syllables, as alike as real ones are.
func townsfolk(n int) []*directory.Team {
	rng := rand.New(rand.NewPCG(7, 7))
	syllables := []string{"ar", "bel", "cor", "den", "el", "fal", "gor", "han", "is", "jun", "kal", "lor", "mar", "nor", "ost", "pel", "quin", "ros", "sal", "tor", "und", "vel", "wes", "yar", "zel"}
	heads := []string{"City of ", "County of ", "Town of ", "CERT ", "University of ", "", ""}
	tails := []string{"", "", " CSIRT", " Energy", " Bank", " Computer Security Incident Response Team"}
	countries := []directory.Country{"US", "US", "US", "US", "AT", "DE", "FR", "JP", "BR", "ZA"}
	pick := func(list []string) string { return list[rng.IntN(len(list))] }
	teams := make([]*directory.Team, 0, n)
	for i := range n {
		if i%10 == 9 { // the one before, from another source
			old := teams[i-1]
			teams = append(teams, team(i, "ti", old.Names.Full+" Team", old.Country, old.Contacts[0].Value))
			continue
		}
		stem := pick(syllables) + pick(syllables) + pick(syllables)
		if rng.IntN(3) == 0 {
			stem += " " + pick(syllables) + pick(syllables)
		}
		mail := fmt.Sprintf("cert@%s%d.example", pick(syllables), i)
		if rng.IntN(20) == 0 {
			mail = fmt.Sprintf("desk%d@county%d.example", i, rng.IntN(n/100+1))
		}
		teams = append(teams, team(i, []string{"first", "national", "dotgov"}[rng.IntN(3)], pick(heads)+stem+pick(tails), countries[rng.IntN(len(countries))], mail))
	}
	return teams
}

func team(i int, source, name string, country directory.Country, mail string) *directory.Team {
	r := directory.Record{
		ID: directory.TeamID(fmt.Sprintf("00000000-0000-4000-8000-%012x", i)), Handle: directory.Handle(fmt.Sprintf("team%d", i)), Revision: 1,
		Layers: []directory.Layer{{Source: source, Key: fmt.Sprint(i), At: now, Profile: directory.Profile{
			Names: directory.Names{Full: name}, Country: country, Contacts: []directory.Contact{email(mail, "abuse")}}}},
	}
	t := r.Team()
	return &t
}

// BenchmarkFindMatches finds all matches among n teams. The cost of a team may
// grow with the directory, but not with its size: see the last figure, which is
// that of the smallest as 1.
func BenchmarkFindMatches(b *testing.B) {
	each := map[int]float64{}
	for _, n := range []int{1_000, 10_000, 100_000} {
		teams := townsfolk(n)
		b.Run(fmt.Sprintf("%d teams", n), func(b *testing.B) {
			start, found := time.Now(), 0
			for b.Loop() {
				found = len(directory.FindMatches(teams))
			}
			each[n] = float64(time.Since(start)) / float64(b.N) / float64(n)
			b.ReportMetric(float64(found), "matches")
			b.ReportMetric(each[n], "ns/team")
			b.ReportMetric(each[n]/each[1_000], "growth")
		})
	}
}
