-- Remembers where a card is: also in a full server, or each try to show it would post another one.
--
-- KEYS  1 cards:R
-- ARGV  1 place   2 body
-- Answer  nothing

redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
