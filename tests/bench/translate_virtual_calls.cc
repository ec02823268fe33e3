// SPDX-License-Identifier: MIT
// Benchmark: a loop of virtual calls over objects of four classes in a random but fixed order,
// argv[1] rounds.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

struct Shape {
    virtual ~Shape() = default;
    virtual unsigned step(unsigned x) const = 0;
};
struct Add : Shape {
    unsigned step(unsigned x) const override
    {
        return x + 7;
    }
};
struct Mix : Shape {
    unsigned step(unsigned x) const override
    {
        return x ^ x >> 3;
    }
};
struct Turn : Shape {
    unsigned step(unsigned x) const override
    {
        return x << 5 | x >> 27;
    }
};
struct Scale : Shape {
    unsigned step(unsigned x) const override
    {
        return x * 2654435761u;
    }
};

int main(int argc, char **argv)
{
    std::vector<std::unique_ptr<Shape>> shapes;
    unsigned seed = 1;
    for (int i = 0; i < 1000; i++) {
        seed = seed * 1664525 + 1013904223;
        switch (seed >> 30) {
        case 0:
            shapes.emplace_back(new Add);
            break;
        case 1:
            shapes.emplace_back(new Mix);
            break;
        case 2:
            shapes.emplace_back(new Turn);
            break;
        default:
            shapes.emplace_back(new Scale);
        }
    }
    long rounds = argc > 1 ? std::atol(argv[1]) : 1000;
    unsigned x = 1;
    for (long i = 0; i < rounds; i++)
        for (const auto &shape : shapes)
            x = shape->step(x);
    std::printf("%u\n", x);
    return 0;
}
