# Word counts, regular expressions, sorting and closures over a text.
use strict;
use warnings;
my (%words, %pairs, $lines, $previous);
open my $text, '<', $ARGV[0] or die;
while (<$text>) {
    $lines++;
    while (/\b([a-z_][a-z0-9_]{2,})\b/gi) {
        my $word = lc $1;
        $words{$word}++;
        $pairs{"$previous $word"}++ if defined $previous;
        $previous = $word;
    }
    s/(\w+)\s*\(([^()]*)\)/$1\[$2\]/g;
}
my @top = (sort { $words{$b} <=> $words{$a} || $a cmp $b } keys %words)[0 .. 19];
print "$lines lines, ", scalar(keys %words), " words, ", scalar(keys %pairs), " pairs\n";
printf "%-20s %d\n", $_, $words{$_} for @top;
my $fold; $fold = sub { my $n = shift; $n < 2 ? $n : $fold->($n - 1) + $fold->($n - 2) };
print $fold->(18), "\n";
print join(' ', map { sprintf '%x', unpack('%32C*', $_) } @top), "\n";
