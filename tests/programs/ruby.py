"""ruby: strings, hashes, JSON, Marshal, regular expressions, big numbers, threads, fork, and the garbage collector."""

PACKAGES = {"ruby": "ruby"}
PROVES = ["ruby3.1"]
QUICK = False
TIMEOUT = 180

SCRIPT = r"""
require 'digest'; require 'json'; require 'set'; require 'stringio'; require 'zlib'
$stdout.sync = true
def sha(s) = Digest::SHA256.hexdigest(s)

def hashes(n)
  h = Hash.new { |t, k| t[k] = [] }
  n.times { |i| h["key#{i * 7919 % (n / 5)}"] << "value #{i}" * (i % 7) }
  h.delete_if { |k, _| k.hash.nil? || k[3..].to_i % 3 == 0 }
  sha(h.sort.map { |k, v| "#{k}=#{v.join(',')}" }.join(';'))
end

def texts(n)
  out = StringIO.new
  n.times { |i| out << format('%05d:%x|', i, i * 31) << ('é' * (i % 5)) }
  s = out.string.gsub(/(\d)(\d+)([a-f]*)/) { $2 + $3.upcase + $1 }
  words = s.scan(/[A-F]+/).tally.sort
  sha(s.encode('UTF-16LE').force_encoding('BINARY') + words.to_s + s.unpack('U*').sum.to_s)
end

def documents(n)
  data = (1..n / 100).to_h { |i| ["k#{i}", [*1..i % 40, { 'x' => 'y' * i, 'f' => i / 7.0, 'n' => nil }]] }
  copy = Marshal.load(Marshal.dump(JSON.parse(JSON.generate(data))))
  sha(JSON.pretty_generate(copy) + Zlib::Inflate.inflate(Zlib::Deflate.deflate(copy.to_s)))
end

def numbers(n)
  a, b = 0, 1
  n.times { a, b = b, a + b }
  sha(a.to_s + (1..n / 10).inject(:*).to_s(36) + (7**n % (10**50)).to_s)
end

def all(n) = [hashes(n), texts(n), documents(n), numbers(n / 20)].join(' ')

n = ARGV[0].to_i
puts all(n)
puts (1..3).map { |t| Thread.new { "#{t} #{all(n / 2)}" } }.map(&:value)
GC.start; GC.compact if GC.respond_to?(:compact)
puts all(n / 2)
3.times do |c|
  pid = fork { puts "child #{c} #{hashes(n)}"; exit!(c) }
  Process.wait(pid); puts "status #{$?.exitstatus}"
end
puts (1..n).sort_by { |i| [i * 31 % 1009, i.to_s] }.each_slice(1000).map { |s| sha(s.join(',')) }
raise 'on purpose'
"""


def run(ctx):
    ctx.write("work.rb", SCRIPT)
    ctx.run(["ruby", "work.rb", 120000], expect=1)
