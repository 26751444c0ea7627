"""perl: hashes, strings, regular expressions, closures, sorting, packing, serializing, fork and threads."""

PACKAGES = {"perl": "perl"}
PROVES = ["perl"]
QUICK = True
TIMEOUT = 180

SCRIPT = r"""
use strict; use warnings; use threads;
use Digest::SHA qw(sha256_hex); use Storable qw(dclone freeze thaw); use List::Util qw(sum max reduce);
$| = 1;
my $n = shift;

sub hashes {
	my %h;
	push @{$h{"key" . ($_ * 7919 % ($n / 5))}}, "value $_" x ($_ % 7) for 1 .. $n;
	delete $h{"key$_"} for grep { $_ % 3 == 0 } 1 .. $n / 5;
	return sha256_hex(join ';', map { "$_=" . join(',', @{$h{$_}}) } sort keys %h);
}

sub strings {
	my ($s, @parts) = ('');
	for (1 .. $n) {
		$s .= sprintf '%05d:%x|', $_, $_ * 31;
		push @parts, reverse split /:/, $s and $s = '' if length $s > 5000;
	}
	my $all = join '-', @parts;
	$all =~ s/(\d)(\d+)([a-f]*)/$2 . uc($3) . $1/ge;
	my %count; $count{$1}++ while $all =~ /([A-F]+)/g;
	return sha256_hex($all . join ',', map { "$_$count{$_}" } sort keys %count);
}

sub structures {
	my $tree = {};
	for my $i (1 .. $n / 4) {
		my $node = $tree;
		$node = $node->{$_} //= {} for split //, $i * 7919 % 100003;
		$node->{leaf} = [$i, pack('NnC', $i, $i & 65535, $i & 255), sub { $i + $_[0] }];
	}
	my $count; $count = sub { my $t = shift; my $s = 0;
		$s += $_ eq 'leaf' ? $t->{leaf}[2]->(1) : $count->($t->{$_}) for keys %$t; return $s };
	my $data = { map { $_ => [1 .. $_ % 40, { x => 'y' x $_ }] } 1 .. $n / 100 };
	local $Storable::canonical = 1;
	return join ' ', $count->($tree), sha256_hex(freeze dclone thaw freeze $data);
}

sub all { join ' ', hashes(), strings(), structures() }

print all(), "\n";
my @threads = map { threads->create(sub { all() . " $_[0]" }, $_) } 1 .. 3;
print $_->join, "\n" for @threads;
for my $child (1 .. 3) {
	my $pid = fork // die;
	if (!$pid) { print "child $child ", hashes(), "\n"; exit $child }
	waitpid $pid, 0; print "status ", $? >> 8, "\n";
}
my @sorted = sort { $a->[1] <=> $b->[1] || $a->[0] cmp $b->[0] } map { ["k$_", $_ * 31 % 1009] } 1 .. $n;
print sha256_hex(join ',', map { $_->[0] } @sorted), "\n";
exit 3;
"""


def run(ctx):
    ctx.write("work.pl", SCRIPT)
    ctx.run(["perl", "work.pl", 8000 if ctx.quick else 120000], expect=3)
